"""Resolve the names of a JavaScript or TypeScript file: its scopes, its bindings and the kind of each use.

Positions are tree-sitter's byte offsets. A file is walked once, without recursion.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from tree_sitter import Node

Access = Literal["read", "write", "update", "declare"]
"""How a name is used; ``declare`` writes if it has a value, ``update`` reads and writes."""
BindingKind = Literal["var", "let", "const", "function", "class", "param", "import", "catch", "self", "type", "module"]

FUNCTIONS: Final = frozenset(
    (
        "function_declaration", "generator_function_declaration", "function_expression", "generator_function",
        "arrow_function", "method_definition",
    )
)  # fmt: skip
FIELDS: Final = frozenset(("field_definition", "public_field_definition"))
BODIES: Final = FUNCTIONS | {"class_static_block"}
"""Nodes that ``var`` is hoisted to, except a field's value, which can contain no statement."""
HOISTED: Final = frozenset(("function_declaration", "generator_function_declaration"))
CLASSES: Final = frozenset(("class_declaration", "abstract_class_declaration", "class"))
_BLOCKS: Final = frozenset(
    ("statement_block", "for_statement", "for_in_statement", "switch_body", "catch_clause", "internal_module", "module")
)
_TYPE_SCOPES: Final = frozenset(
    (
        "interface_declaration", "type_alias_declaration", "function_type", "constructor_type", "call_signature",
        "construct_signature", "method_signature", "abstract_method_signature", "function_signature", "index_signature",
        "mapped_type_clause", "infer_type",
    )
)  # fmt: skip
_IMPORTS: Final = frozenset(
    ("import_clause", "import_specifier", "namespace_import", "import_require_clause", "import_alias")
)
_NAMED: Final = frozenset(
    ("function_signature", "enum_declaration", "internal_module", "type_alias_declaration", "interface_declaration",
     "type_parameter")
)  # fmt: skip
_NAMES: Final = frozenset(("identifier", "shorthand_property_identifier", "type_identifier"))
_PATTERNS: Final = frozenset(
    ("array_pattern", "object_pattern", "rest_pattern", "assignment_pattern", "object_assignment_pattern",
     "pair_pattern", "parenthesized_expression", "non_null_expression")
)  # fmt: skip


@dataclass(eq=False, slots=True)
class Scope:
    """A region that declares names; ``body`` is the function, or the program, that owns its ``var`` declarations."""

    node: Node
    parent: "Scope | None"
    body: "Scope"
    names: dict[str, "Binding"] = field(default_factory=dict)

    def around(self) -> Iterator["Scope"]:
        """Yield this scope and its enclosing scopes."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


@dataclass(eq=False, slots=True)
class Use:
    """One occurrence of a name."""

    node: Node
    name: str
    access: Access
    scope: Scope
    binding: "Binding | None" = None
    """None for a name that the file does not declare."""
    has_value: bool = True
    """Whether a declaration has a value."""

    @property
    def writes(self) -> bool:
        """Whether the use changes the binding, except for its first value."""
        return self.access in {"write", "update"}

    @property
    def reads(self) -> bool:
        """Whether the use reads the value."""
        return self.access in {"read", "update"}


@dataclass(eq=False, slots=True)
class Binding:
    """The variable, function or class that a name stands for in a scope."""

    name: str
    kind: BindingKind
    scope: Scope
    uses: list[Use] = field(default_factory=list)

    @property
    def declarations(self) -> list[Use]:
        """The places that declare it."""
        return [use for use in self.uses if use.access == "declare"]

    @property
    def is_constant(self) -> bool:
        """Whether it never changes after its first value."""
        return len(self.declarations) <= 1 and not any(use.writes for use in self.uses)


@dataclass(eq=False, slots=True)
class FileScopes:
    """All names of a file."""

    program: Scope
    uses: list[Use]
    scopes: dict[int, Scope]
    """Scopes by node id."""

    def words(self) -> set[str]:
        """Return every name that occurs in the file, properties included."""
        return self._properties | {use.name for use in self.uses}

    _properties: set[str] = field(default_factory=set)


def is_within(node: Node, around: Node) -> bool:
    """Whether a node is another one or in it."""
    return around.start_byte <= node.start_byte and node.end_byte <= around.end_byte


def text_of(node: Node) -> str:
    """Return the text of a node."""
    return node.text.decode("utf-8", "replace") if node.text else ""


@lru_cache(maxsize=2)
def names_of(root: Node) -> FileScopes:
    """Return the names of a program; the result is cached and must not be changed."""
    walk = _Walk(root)
    walk.run(root)
    for use in walk.uses:
        use.binding = next((s.names[use.name] for s in use.scope.around() if use.name in s.names), None)
        if use.binding is not None:
            use.binding.uses.append(use)
    return FileScopes(walk.program, walk.uses, walk.scopes, walk.properties)


class _Walk:
    """One pass over the tree, in source order."""

    def __init__(self, root: Node) -> None:
        self.program = Scope.__new__(Scope)
        self.program.node, self.program.parent, self.program.body, self.program.names = root, None, self.program, {}
        self.uses: list[Use] = []
        self.scopes: dict[int, Scope] = {root.id: self.program}
        self.properties: set[str] = set()
        self._roles: dict[int, tuple[Access, BindingKind, Scope, bool]] = {}
        self._skipped: set[int] = set()

    def run(self, root: Node) -> None:
        stack: list[tuple[Node, Scope]] = [(root, self.program)]
        while stack:
            node, scope = stack.pop()
            if node.id in self._skipped:
                continue
            if node.type in _NAMES or node.type == "shorthand_property_identifier_pattern":
                self._name(node, scope)
                continue
            if node.type in {"property_identifier", "private_property_identifier", "statement_identifier"}:
                self.properties.add(text_of(node))
                continue
            inner = self._enter(node, scope)
            outside = _evaluated_outside(node)
            stack.extend((child, scope if child.id in outside else inner) for child in reversed(node.named_children))

    def _name(self, node: Node, scope: Scope) -> None:
        access, kind, home, has_value = self._roles.get(node.id, ("read", "var", scope, True))
        name = text_of(node)
        if access == "declare" and name not in home.names:
            home.names[name] = Binding(name, kind, home)
        self.uses.append(Use(node, name, access, home if access == "declare" else scope, None, has_value))

    def _enter(self, node: Node, scope: Scope) -> Scope:
        """Record what a node declares or writes; return the scope of its content."""
        kind = node.type
        inner = self._scope_in(node, scope)
        if kind in FUNCTIONS:
            self._function(node, scope, inner)
        elif kind in {"variable_declaration", "lexical_declaration", "using_declaration"}:
            self._variables(node, scope)
        elif kind in {"for_in_statement", "catch_clause"}:
            self._head(node, inner)
        elif kind in {"assignment_expression", "augmented_assignment_expression", "update_expression"}:
            field_name = "argument" if kind == "update_expression" else "left"
            self._assign(node.child_by_field_name(field_name), "write" if kind[:2] == "as" else "update", scope)
        else:
            self._enter_other(node, scope, inner)
        return inner

    def _enter_other(self, node: Node, scope: Scope, inner: Scope) -> None:
        kind = node.type
        if kind in CLASSES:
            own = node.child_by_field_name("name")
            if own is not None:
                self._declare(own, "class", inner if kind == "class" else scope)
        elif kind in _IMPORTS:
            self._import(node, scope)
        elif kind in _NAMED:
            self._named(node, scope)
        elif kind == "export_specifier":
            self._skip(node.child_by_field_name("alias"))
        elif kind == "index_signature":
            self._skip(node.child_by_field_name("name"))
        elif kind in {"jsx_opening_element", "jsx_closing_element", "jsx_self_closing_element"}:
            own = node.child_by_field_name("name")
            if own is not None and own.type == "identifier" and text_of(own)[:1].islower():
                self._skip(own)
        elif kind in {"required_parameter", "optional_parameter"} and _is_in_type(node):
            self._skip(node.child_by_field_name("pattern"))

    def _scope_in(self, node: Node, scope: Scope) -> Scope:
        kind = node.type
        is_body = kind in BODIES or kind in FIELDS
        own = is_body or kind in CLASSES or kind in _TYPE_SCOPES or kind in _BLOCKS
        if not own or (kind == "statement_block" and node.parent is not None and node.parent.type in BODIES):
            return scope
        inner = Scope(node, scope, scope.body)
        if is_body or kind in {"internal_module", "module"}:
            inner.body = inner
        self.scopes[node.id] = inner
        return inner

    def _function(self, node: Node, scope: Scope, inner: Scope) -> None:
        own = node.child_by_field_name("name")
        if own is not None and own.type == "identifier":
            if node.type in HOISTED:
                self._declare(own, "function", scope)
            elif node.type != "method_definition":
                self._declare(own, "self", inner)
        only = node.child_by_field_name("parameter")
        if only is not None:
            self._pattern(only, "declare", "param", inner)
        parameters = node.child_by_field_name("parameters")
        for child in parameters.named_children if parameters is not None else ():
            held = child.child_by_field_name("pattern") if child.type.endswith("_parameter") else child
            if held is not None:
                self._pattern(held, "declare", "param", inner)

    def _variables(self, node: Node, scope: Scope) -> None:
        word = node.children[0].type if node.children else "var"
        kind: BindingKind = "var" if node.type == "variable_declaration" else "let" if word == "let" else "const"
        home = scope.body if kind == "var" else scope
        for child in node.named_children:
            name = child.child_by_field_name("name") if child.type == "variable_declarator" else None
            if name is not None:
                self._pattern(name, "declare", kind, home, has_value=child.child_by_field_name("value") is not None)

    def _head(self, node: Node, inner: Scope) -> None:
        """Record what a ``for … of`` or a ``catch`` declares or writes."""
        if node.type == "catch_clause":
            parameter = node.child_by_field_name("parameter")
            if parameter is not None:
                self._pattern(parameter, "declare", "catch", inner)
            return
        left, word = node.child_by_field_name("left"), node.child_by_field_name("kind")
        if left is None:
            return
        if word is None:
            self._pattern(left, "write", "var", inner)
        elif word.type == "var":
            self._pattern(left, "declare", "var", inner.body)
        else:
            self._pattern(left, "declare", "let" if word.type == "let" else "const", inner)

    def _assign(self, target: Node | None, access: Access, scope: Scope) -> None:
        if target is not None:
            self._pattern(target, access, "var", scope)

    def _pattern(self, node: Node, access: Access, kind: BindingKind, home: Scope, *, has_value: bool = True) -> None:
        """Record the names that a pattern binds; default values and computed keys in it are ordinary code."""
        stack = [node]
        while stack:
            current = stack.pop()
            if current.type in {"identifier", "shorthand_property_identifier_pattern"}:
                self._roles[current.id] = (access, kind, home, has_value)
            elif current.type in {"assignment_pattern", "object_assignment_pattern"}:
                left = current.child_by_field_name("left")
                stack += [left] if left is not None else []
            elif current.type == "pair_pattern":
                value = current.child_by_field_name("value")
                stack += [value] if value is not None else []
            elif current.type in _PATTERNS:
                stack += current.named_children

    def _import(self, node: Node, scope: Scope) -> None:
        if node.type == "import_specifier":
            name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
            if alias is not None and name is not None:
                self._skip(name)
            own: list[Node | None] = [alias if alias is not None else name]
        else:
            own = [next((child for child in node.named_children if child.type == "identifier"), None)]
        for child in own:
            if child is not None:
                self._declare(child, "import", scope)

    def _named(self, node: Node, scope: Scope) -> None:
        own = node.child_by_field_name("name")
        if own is None or own.type not in _NAMES:
            return
        if node.type == "type_parameter":
            self._declare(own, "type", scope)
        elif node.type in {"enum_declaration", "internal_module"}:
            self._declare(own, "module", scope)
        else:
            self._declare(own, "function" if node.type == "function_signature" else "type", scope)

    def _declare(self, node: Node, kind: BindingKind, home: Scope) -> None:
        self._roles[node.id] = ("declare", kind, home, True)

    def _skip(self, node: Node | None) -> None:
        if node is not None:
            self._skipped.add(node.id)


def _evaluated_outside(node: Node) -> frozenset[int]:
    """Return the children of a scope's node that belong to the enclosing scope."""
    if node.type in FUNCTIONS or node.type in CLASSES or node.type in FIELDS:
        names = [node.child_by_field_name("name"), node.child_by_field_name("property")]
        names += [child for child in node.named_children if child.type in {"decorator", "class_heritage"}]
        if node.type == "class" or node.type in {"function_expression", "generator_function"}:
            names = [name for name in names if name is not None and name.type != "identifier"]
        return frozenset(name.id for name in names if name is not None)
    if node.type == "for_in_statement":
        right = node.child_by_field_name("right")
        return frozenset() if right is None or node.child_by_field_name("kind") else frozenset((right.id,))
    return frozenset()


def _is_in_type(parameter: Node) -> bool:
    """Whether a parameter belongs to a type, where its name means nothing."""
    holder = parameter.parent.parent if parameter.parent is not None else None
    return holder is not None and holder.type not in FUNCTIONS
