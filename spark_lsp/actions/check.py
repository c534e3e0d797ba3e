"""Check every proposed edit before it is shown. Pure; takes as long as a parse, so it runs on a thread.

Never passes an edit that adds syntax errors, or that Python's compiler warns about for the first time.
"""

from collections import Counter
from collections.abc import Iterable

from spark_lsp.text.edit import Edit, apply_edits
from spark_lsp.text.syntax import Node, Syntax, parse
from spark_lsp.warning_filters import recorded_warnings


def failure(text: str, syntax: Syntax | None, edits: Iterable[Edit]) -> str:
    """Say in one sentence why the edits must not be applied; empty if they may."""
    try:
        after_text = apply_edits(text, edits)
    except ValueError as error:
        return f"The edit does not fit the document: {error}."
    if after_text == text:
        return "The edit changes nothing."
    if syntax is None:
        return ""
    after = parse(syntax.language, after_text)
    if after is None or after.error_count > syntax.error_count:
        return "The edit would add a syntax error."
    return _not_compiled(text, after_text) if syntax.language.name == "python" else ""


def node_where(syntax: Syntax, node: Node) -> Node | None:
    """Return the node with the same start and kind as a node of another text; None if there is none."""
    same = (ancestor for ancestor in syntax.ancestors_at(node.span.start))
    return next(
        (ancestor for ancestor in same if ancestor.kind == node.kind and ancestor.span.start == node.span.start), None
    )


def _not_compiled(text: str, after_text: str) -> str:
    """Return what Python's compiler reports in an edited document and not in the original; empty for nothing."""
    before = _warnings_of(text)
    if before is None:
        return ""
    after = _warnings_of(after_text)
    if after is None:
        return "The edited text would no longer compile."
    added = after - before
    return f"Python would warn of the edited text: {next(iter(added))}." if added else ""


def _warnings_of(text: str) -> Counter[str] | None:
    """Compile a document; return the compiler's warnings, None if it does not compile."""
    try:
        with recorded_warnings() as caught:
            compile(text, "document", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None
    return Counter(str(warning.message).rstrip(".") for warning in caught)
