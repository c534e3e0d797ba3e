"""Run the same trials with rope, to compare: ``--library rope``, after ``pip install rope``."""

import tempfile
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span

_NAME: Final = "found_by_rope"


@lru_cache(maxsize=1)
def _project() -> Any:
    from rope.base.project import Project  # noqa: PLC0415 - only who asks for it needs it

    folder = Path(tempfile.mkdtemp(prefix="rope-"))
    return Project(str(folder), ropefolder=None)


def _changed(text: str, make: Any) -> tuple[Edit, ...] | Refusal:
    """Return the whole text as one edit, or why rope refused."""
    project = _project()
    file = Path(project.address) / "main.py"
    file.write_text(text, "utf-8", newline="")
    project.validate()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            changes = make(project, project.get_resource("main.py"))
    except Exception as error:  # noqa: BLE001 - what a library raises here is its way to refuse
        return Refusal("selection", f"rope: {type(error).__name__}: {str(error)[:60]}")
    if not changes.changes:
        return Refusal("selection", "rope: changed nothing")
    return (Edit(Span(0, len(text)), changes.changes[0].new_contents),)


def extract_function(text: str, span: Span) -> tuple[Edit, ...] | Refusal:
    """Let rope extract a function."""
    from rope.refactor.extract import ExtractMethod  # noqa: PLC0415

    start = span.start + len(span.text(text)) - len(span.text(text).lstrip())
    return _changed(text, lambda project, file: ExtractMethod(project, file, start, span.end).get_changes(_NAME))


def extract_variable(text: str, span: Span) -> tuple[Edit, ...] | Refusal:
    """Let rope extract a variable, and replace equal expressions."""
    from rope.refactor.extract import ExtractVariable  # noqa: PLC0415

    def make(project: Any, file: Any) -> Any:
        return ExtractVariable(project, file, span.start, span.end).get_changes(_NAME, similar=True)

    return _changed(text, make)


def inline_variable(text: str, span: Span) -> tuple[Edit, ...] | Refusal:
    """Let rope inline a variable."""
    from rope.refactor.inline import create_inline  # noqa: PLC0415

    return _changed(text, lambda project, file: create_inline(project, file, span.start).get_changes())


def suggest_name(text: str, span: Span) -> tuple[Edit, ...] | Refusal:
    """Let rope rename a variable."""
    from rope.refactor.rename import Rename  # noqa: PLC0415

    return _changed(text, lambda project, file: Rename(project, file, span.start).get_changes(_NAME))


ROPE_ACTIONS: Final = {
    "extract.function": extract_function,
    "extract.variable": extract_variable,
    "inline.variable": inline_variable,
    "rename.suggest": suggest_name,
}
