"""Collect a file's names and properties: the uses of each name, and the properties that run code. Pure.

JavaScript runs code at getters, conversions and assignments to methods. Only the files that contain such code are
treated with that caution.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.scopes import Binding, FileScopes, Use, text_of

EVERY: Final = "*"
_CONVERSIONS: Final = frozenset(("valueOf", "toString", "toJSON", "Symbol.toPrimitive", "Symbol.hasInstance"))
_CHANGES: Final = frozenset(
    ("assignment_expression", "augmented_assignment_expression", "update_expression", "yield_expression",
     "await_expression", "new_expression", "for_in_statement", "spread_element")
)  # fmt: skip
QUIET_METHODS: Final = frozenset(
    [
        "add",
        "at",
        "charAt",
        "charCodeAt",
        "codePointAt",
        "concat",
        "debug",
        "delete",
        "endsWith",
        "entries",
        "error",
        "every",
        "exec",
        "filter",
        "find",
        "findIndex",
        "flat",
        "flatMap",
        "forEach",
        "get",
        "has",
        "includes",
        "indexOf",
        "info",
        "join",
        "keys",
        "lastIndexOf",
        "log",
        "map",
        "match",
        "matchAll",
        "normalize",
        "padEnd",
        "padStart",
        "pop",
        "push",
        "reduce",
        "reduceRight",
        "repeat",
        "replace",
        "replaceAll",
        "reverse",
        "set",
        "shift",
        "slice",
        "some",
        "sort",
        "splice",
        "split",
        "startsWith",
        "substr",
        "substring",
        "test",
        "toFixed",
        "toLocaleString",
        "toLowerCase",
        "toPrecision",
        "toString",
        "toUpperCase",
        "trim",
        "trimEnd",
        "trimStart",
        "unshift",
        "values",
        "warn",
    ]
)
"""Methods of built-in objects, which programs do not replace."""
_REBINDING: Final = frozenset(
    ("Object.assign", "Object.defineProperties", "Object.setPrototypeOf", "Reflect.set", "Reflect.defineProperty")
)


@dataclass(frozen=True, slots=True, eq=False)
class FileUses:
    """A file's uses by node id, and the properties that run code.

    ``accessors`` have a getter with an effect, EVERY stands for all; ``rebound`` are assigned somewhere in the file.
    """

    by_node: Mapping[int, Use]
    accessors: frozenset[str]
    rebound: frozenset[str]
    rebinds_any: bool
    converts: bool
    """Whether a conversion to a number or text may run code of the file with an effect."""
    asks_for_names: bool
    """Whether the file reads the name of a function or class."""
    written_globals: frozenset[str]
    """Names that the file assigns and does not declare."""

    def get(self, node_id: int) -> Use | None:
        """Return the use of a node, None for any other node."""
        return self.by_node.get(node_id)

    def runs_code(self, node: Node) -> bool:
        """Whether reading this member, or converting by this operator, runs code of the file."""
        if node.type == "member_expression":
            return bool(self.accessors) and (EVERY in self.accessors or property_of(node) in self.accessors)
        if node.type == "subscript_expression":
            return bool(self.accessors) and (EVERY in self.accessors or property_of(node) in {"", *self.accessors})
        if node.type == "object_pattern":
            return bool(self.accessors)
        if not self.converts:
            return False
        if node.type == "binary_expression":
            operator = node.child_by_field_name("operator")
            return operator is not None and operator.type not in {"===", "!==", "&&", "||", "??", "in"}
        return node.type in {"template_substitution", "unary_expression", "computed_property_name"}

    def keeps(self, name: str, holder: Node) -> bool:
        """Whether an object's property keeps its method, as far as the file shows."""
        if name in self.accessors or EVERY in self.accessors or name in self.rebound:
            return False
        return name in QUIET_METHODS or not self.rebinds_any or self.is_module(holder)

    def is_module(self, node: Node) -> bool:
        """Whether a name stands for a global object or a required module, whose methods a program does not replace."""
        use = self.get(node.id)
        if use is None:
            return False
        if use.binding is None:
            return use.name not in self.written_globals
        holder = (
            use.binding.declarations[0].node.parent if use.binding.is_constant and use.binding.declarations else None
        )
        value = holder.child_by_field_name("value") if holder is not None else None
        called = value.child_by_field_name("function") if value is not None else None
        return called is not None and called.text == b"require"


def property_of(node: Node) -> str:
    """Return the property of a member, or of a subscript with a plain string; empty for a computed one."""
    own = node.child_by_field_name("property")
    if own is not None:
        return text_of(own)
    index = node.child_by_field_name("index")
    return text_of(index)[1:-1] if index is not None and index.type == "string" else ""


@lru_cache(maxsize=2)
def file_uses(names: FileScopes) -> FileUses:
    """Return the uses of a file; the result is cached, because actions request it more than once."""
    accessors: set[str] = set()
    rebound: set[str] = set()
    described: set[str] = set()
    rebinds_any = converts = asks_for_names = has_acting_getter = False
    for node in every(names.program.node):
        if node.type in {"method_definition", "pair"}:
            own = _key(node)
            converts = converts or (own in _CONVERSIONS and _acts(node))
            if any(child.type in {"get", "set"} for child in node.children) and _acts(node):
                accessors.add(own or EVERY)
            has_acting_getter = has_acting_getter or (own in {"get", "set"} and _acts(node))
        elif node.type in {"assignment_expression", "augmented_assignment_expression", "update_expression"}:
            target = node.child_by_field_name("left") or node.child_by_field_name("argument")
            changed = list(_members(target)) if target is not None else []
            rebound |= {property_of(place) for place in changed}
            rebinds_any = rebinds_any or any(_is_computed(place) for place in changed)
            accessors |= {name for place in changed for name in _described(place)}
            converts = converts or any(property_of(place) in _CONVERSIONS for place in changed)
        elif node.type == "member_expression":
            held = node.child_by_field_name("object")
            asks_for_names = asks_for_names or (property_of(node) == "name" and held is not None and _is_named(held))
        elif node.type == "unary_expression" and any(child.type == "delete" for child in node.children):
            rebound |= {property_of(member) for member in _members(node)}
        elif node.type in {"call_expression", "new_expression"}:
            name, key = _called(node)
            rebinds_any = rebinds_any or name in _REBINDING
            if name == "Object.defineProperty":
                rebound.add(key)
                described.add(key or EVERY)
            accessors |= {EVERY} if name == "Proxy" else set()
    return FileUses(
        by_node={use.node.id: use for use in names.uses},
        accessors=frozenset(accessors | described if has_acting_getter else accessors),
        rebound=frozenset(rebound),
        rebinds_any=rebinds_any,
        converts=converts,
        asks_for_names=asks_for_names,
        written_globals=frozenset(use.name for use in names.uses if use.binding is None and use.writes),
    )


def is_imported_live(binding: Binding) -> bool:
    """Whether another workspace file may change what an imported name means, because imports are live."""
    declared = binding.declarations
    node = declared[0].node if declared else None
    if binding.kind != "import" or node is None:
        return False
    current: Node | None = node
    while current is not None and current.type != "import_statement":
        if current.type == "namespace_import":
            return False  # the name itself stays; a property is read from it
        current = current.parent
    source = current.child_by_field_name("source") if current is not None else None
    return source is None or text_of(source)[1:2] in {".", "/"}


def every(node: Node) -> Iterator[Node]:
    """Yield a node and all in it."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack += current.named_children


def _key(node: Node) -> str:
    own = node.child_by_field_name("name") or node.child_by_field_name("key")
    if own is None:
        return ""
    if own.type == "computed_property_name":
        return text_of(own).strip("[] ")
    return text_of(own).strip("\"'")


def _acts(definition: Node) -> bool:
    """Whether a method does more than read, and call methods that only read."""
    for node in every(definition):
        if node.type in _CHANGES or (node.type == "unary_expression" and node.children[0].type == "delete"):
            return True
        called = node.child_by_field_name("function") if node.type == "call_expression" else None
        if called is not None and not (called.type == "member_expression" and property_of(called) in QUIET_METHODS):
            return True
    return False


def _members(target: Node) -> Iterator[Node]:
    """Yield the members that the left side of an assignment writes, including those in a pattern."""
    if target.type in {"member_expression", "subscript_expression"}:
        yield target
    elif target.type.endswith("pattern") or target.type in {"unary_expression", "parenthesized_expression"}:
        for child in target.named_children:
            yield from _members(child)


def _is_named(held: Node) -> bool:
    """Whether an object may be a function or class: a name by itself, or the constructor of an object."""
    return held.type in {"identifier", "subscript_expression"} or property_of(held) == "constructor"


def _is_computed(member: Node) -> bool:
    index = member.child_by_field_name("index")
    return index is not None and index.type not in {"string", "number"}


def _described(member: Node) -> Iterator[str]:
    """Yield the property that gets a getter by ``descriptors.name.get = …``."""
    held = member.child_by_field_name("object")
    if property_of(member) in {"get", "set"} and held is not None and held.type == "member_expression":
        yield property_of(held)


def _called(node: Node) -> tuple[str, str]:
    """Return the name of the callee, and the call's second argument if it is a string."""
    called = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    arguments = node.child_by_field_name("arguments")
    given = arguments.named_children if arguments is not None else []
    key = text_of(given[1])[1:-1] if len(given) > 1 and given[1].type == "string" else ""
    return (text_of(called) if called is not None else ""), key
