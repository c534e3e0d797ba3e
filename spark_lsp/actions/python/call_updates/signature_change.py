"""Find what has changed in the signature of a Python function since its document was opened. Pure."""

from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.base import Target
from spark_lsp.actions.changed_signature import SignatureAt, signature_at
from spark_lsp.actions.definition import DefinitionNode, signature_text
from spark_lsp.actions.python.analysis.quick_checks import is_python
from spark_lsp.actions.python.call_updates.rewrite_call import Change
from spark_lsp.actions.python.call_updates.signature_diff import difference, parameters_of
from spark_lsp.text.syntax import Syntax

_TRANSPARENT: Final = frozenset(
    {
        *("abstractmethod", "asynccontextmanager", "cache", "classmethod", "contextmanager", "final", "lru_cache"),
        *("no_type_check", "override", "staticmethod"),
    }
)
"""Decorators whose result has the same parameters as the function."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A function and its change; ``decorators`` are the same before and after."""

    definition: DefinitionNode
    change: Change
    decorators: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        """Whether the new arguments follow from the old ones, and every call is visible as one."""
        name = self.definition.name
        is_special = name.startswith("__") and name.endswith("__")
        known = all(decorator[1:].partition("(")[0].rpartition(".")[2] in _TRANSPARENT for decorator in self.decorators)
        is_called = not is_special or (name == "__init__" and not self.decorators)
        return known and is_called and self.change.difference.is_mechanical

    @property
    def callee(self) -> str:
        """The name in its calls: the function's, or the class's for ``__init__``."""
        return _class_name(self.definition) if self.definition.name == "__init__" else self.definition.name


def changed_at(target: Target, signature: SignatureAt | None = None) -> Changed | None:
    """Return the change of the function whose signature the cursor is on; None if it is not known."""
    if not is_python(target):
        return None
    signature = signature or signature_at(target)
    before, now = target.baseline_syntax, target.syntax
    if signature is None or signature.baseline is None or before is None or now is None:
        return None
    decorators = _decorators(signature.definition)
    if decorators != _decorators(signature.baseline):
        return None
    is_method = bool(_class_name(signature.definition))
    takes_object = is_method and "@staticmethod" not in decorators
    old = parameters_of(_undecorated(before, signature.baseline), is_method=takes_object)
    new = parameters_of(_undecorated(now, signature.definition), is_method=takes_object)
    if old is None or new is None:
        return None
    return Changed(signature.definition, Change(old, new, difference(old, new)), decorators)


def _class_name(definition: DefinitionNode) -> str:
    """Return the class that contains a method, empty for none."""
    around = definition.whole.raw.parent
    holder = around.parent if around is not None else None
    name = holder.child_by_field_name("name") if holder is not None and holder.type == "class_definition" else None
    return (name.text or b"").decode("utf-8", "replace") if name is not None else ""


def _undecorated(syntax: Syntax, definition: DefinitionNode) -> str:
    return signature_text(syntax, definition, decorated=False)


def _decorators(definition: DefinitionNode) -> tuple[str, ...]:
    held = definition.whole.raw.children
    return tuple(
        "".join((node.text or b"").decode("utf-8", "replace").split()) for node in held if node.type == "decorator"
    )
