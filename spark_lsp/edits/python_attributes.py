"""Find every place in a Python file where an attribute of one class is used, if that is certain. Pure.

Certain are the names of the class body, ``self.name`` in its methods and those of its subclasses in the file, and
``Class.name``. An object that came from elsewhere is left alone.
"""

import ast
from collections.abc import Iterator
from typing import Final

from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.edits.python_bindings import Binding, Bindings, Occurrence, Unclear
from spark_lsp.text.edit import Span

_HARMLESS_BASES: Final = frozenset({"ABC", "Generic", "Protocol", "object"})
_METHODS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def attribute_at(bindings: Bindings, name: str, span: Span) -> Binding | Unclear:
    """Return the attribute whose name stands at a place, with all its certain places."""
    owner = next((owner for owner in _classes(bindings) if _stands_in(bindings, owner, name, span)), None)
    if owner is None:
        return Unclear(f"it is not known whose attribute {name} is")
    return attribute_of(bindings, owner, name)


def attribute_of(bindings: Bindings, owner: ast.ClassDef, name: str) -> Binding | Unclear:
    """Return an attribute of a class with all its certain places."""
    source = bindings.source
    family = _family(bindings, owner)
    if isinstance(family, Unclear):
        return family
    above, below = family
    if any(_mentions(node, name) for base in above for node in ast.walk(base)):
        return Unclear(f"a base class of {owner.name} also has {name}")
    if any(_defines(node, source, subclass, name) for subclass in below for node in ast.walk(subclass)):
        return Unclear(f"a subclass of {owner.name} redefines {name}")
    places = {place.span: place for place in _class_places(bindings, owner, name)}
    for relative in (owner, *below):
        places |= {place.span: place for place in _self_places(source, relative, name)}
    places |= {place.span: place for place in _class_reads(bindings, (owner, *below), name)}
    if not any(place.defines for place in places.values()):
        return Unclear(f"{owner.name} does not give {name} a value")
    return Binding(owner, tuple(sorted(places.values(), key=lambda place: place.span)))


def _classes(bindings: Bindings) -> Iterator[ast.ClassDef]:
    return (node for node in bindings.nodes if isinstance(node, ast.ClassDef))


def _stands_in(bindings: Bindings, owner: ast.ClassDef, name: str, span: Span) -> bool:
    """Whether a name at a place belongs to the body of a class, or is an attribute of its ``self``."""
    places = [*_class_places(bindings, owner, name), *_self_places(bindings.source, owner, name)]
    return any(place.span == span for place in places)


def _class_places(bindings: Bindings, owner: ast.ClassDef, name: str) -> tuple[Occurrence, ...]:
    """Return where the body of a class names one of its own names."""
    for node in owner.body:
        for part in ast.walk(node):
            is_named = getattr(part, "name", None) == name or (isinstance(part, ast.Name) and part.id == name)
            if is_named and bindings.source.scope_of(part) is owner:
                binding = bindings.of_node(name, part)
                return binding.places if isinstance(binding, Binding) and binding.owner is owner else ()
    return ()


def _self_places(source: Source, owner: ast.ClassDef, name: str) -> Iterator[Occurrence]:
    """Yield the attributes of a name that methods of a class read or set on their own object."""
    for method in owner.body:
        if not isinstance(method, _METHODS) or any(_is_static(decorator) for decorator in method.decorator_list):
            continue
        arguments = [*method.args.posonlyargs, *method.args.args]
        if not arguments:
            continue
        receiver = arguments[0].arg
        if any(_rebinds(node, receiver, arguments[0]) for node in ast.walk(method)):
            continue
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and node.attr == name and _is_name(node.value, receiver):
                yield _attribute_place(source, node)


def _class_reads(bindings: Bindings, owners: tuple[ast.ClassDef, ...], name: str) -> Iterator[Occurrence]:
    """Yield the attributes of a name that are read from one of the classes by its own name."""
    for owner in owners:
        binding = bindings.of_node(owner.name, owner)
        if isinstance(binding, Unclear) or sum(place.defines for place in binding.places) != 1:
            continue
        for place in binding.places:
            parent = bindings.source.parent(place.node)
            is_read = isinstance(place.node, ast.Name) and isinstance(parent, ast.Attribute)
            if is_read and isinstance(parent, ast.Attribute) and parent.attr == name:
                yield _attribute_place(bindings.source, parent)


def _attribute_place(source: Source, node: ast.Attribute) -> Occurrence:
    end = source.span(node).end
    return Occurrence(Span(end - len(node.attr), end), isinstance(node.ctx, ast.Store), node)


def _family(bindings: Bindings, owner: ast.ClassDef) -> tuple[list[ast.ClassDef], list[ast.ClassDef]] | Unclear:
    """Return the classes of the file above and below a class; unclear where one above is not in the file."""
    above: list[ast.ClassDef] = []
    waiting = [owner]
    while waiting:
        for base in waiting.pop().bases:
            core = base.value if isinstance(base, ast.Subscript) else base
            name = core.id if isinstance(core, ast.Name) else ""
            class_binding = _class_named(bindings, core)
            if class_binding is not None and class_binding not in above:
                above.append(class_binding)
                waiting.append(class_binding)
            elif class_binding is None and name not in _HARMLESS_BASES:
                return Unclear(f"what {owner.name} inherits is not known")
    if owner.keywords:
        return Unclear(f"the metaclass of {owner.name} may do anything")
    below: list[ast.ClassDef] = []
    known = {id(owner)}
    while True:
        subclasses = [
            subclass
            for subclass in _classes(bindings)
            if id(subclass) not in known and any(id(_class_named(bindings, base)) in known for base in subclass.bases)
        ]
        if not subclasses:
            return above, below
        below += subclasses
        known |= {id(subclass) for subclass in subclasses}


def _class_named(bindings: Bindings, base: ast.expr) -> ast.ClassDef | None:
    if not isinstance(base, ast.Name):
        return None
    binding = bindings.of_node(base.id, base)
    if isinstance(binding, Unclear) or sum(place.defines for place in binding.places) != 1:
        return None
    definition = binding.first_definition
    return definition.node if definition is not None and isinstance(definition.node, ast.ClassDef) else None


def _mentions(node: ast.AST, name: str) -> bool:
    names = (getattr(node, "name", None), getattr(node, "attr", None), getattr(node, "id", None))
    return name in names or (isinstance(node, ast.Constant) and node.value == name)


def _defines(node: ast.AST, source: Source, owner: ast.ClassDef, name: str) -> bool:
    is_own = getattr(node, "name", None) == name or (
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    )
    if is_own and source.scope_of(node) is owner:
        return True
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store)


def _rebinds(node: ast.AST, receiver: str, argument: ast.arg) -> bool:
    """Whether a node within a method gives its first parameter's name another meaning."""
    if isinstance(node, ast.arg):
        return node.arg == receiver and node is not argument
    return isinstance(node, ast.Name) and node.id == receiver and not isinstance(node.ctx, ast.Load)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_static(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
