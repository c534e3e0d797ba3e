"""Read pyflakes' findings in a Python text: undefined names, unused imports and others. Pure.

Only new findings of an edit count, so findings are compared by message and not by position.
"""

import ast
import builtins
from collections import Counter
from dataclasses import dataclass
from typing import Final

from pyflakes import messages
from pyflakes.checker import Checker

from spark_lsp.warning_filters import ignored_warnings

UNDEFINED: Final = "F821"
UNUSED_IMPORT: Final = "F401"
_CODES: Final[dict[type[messages.Message], str]] = {
    messages.UnusedImport: UNUSED_IMPORT,
    messages.ImportShadowedByLoopVar: "F402",
    messages.FutureFeatureNotDefined: "F407",
    messages.StringDotFormatExtraPositionalArguments: "F523",
    messages.StringDotFormatExtraNamedArguments: "F522",
    messages.StringDotFormatMissingArgument: "F524",
    messages.FStringMissingPlaceholders: "F541",
    messages.MultiValueRepeatedKeyLiteral: "F601",
    messages.AssertTuple: "F631",
    messages.IsLiteral: "F632",
    messages.IfTuple: "F634",
    messages.RedefinedWhileUnused: "F811",
    messages.UndefinedName: UNDEFINED,
    messages.UndefinedExport: "F822",
    messages.UndefinedLocal: "F823",
    messages.UnusedVariable: "F841",
    messages.UnusedAnnotation: "F842",
    messages.RaiseNotImplemented: "F901",
}
"""pyflakes' messages by their codes in ruff and flake8."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem: its code, the name it is about, its line, counted from 1, and the whole message."""

    code: str
    name: str
    line: int
    message: str


def findings(text: str) -> list[Finding]:
    """Return pyflakes' findings; none for a text that does not parse."""
    try:
        with ignored_warnings():
            tree = ast.parse(text)
        reports = Checker(tree, "document").messages
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    rows = []
    for report in reports:
        code = _CODES.get(type(report), "")
        name = str(report.message_args[0]) if report.message_args else ""
        rows.append(Finding(code, name, report.lineno, report.message % report.message_args))
    return rows


def new_findings(before: str, after: str) -> list[Finding]:
    """Return the findings after an edit that were not there before."""
    known = Counter((finding.code, finding.message) for finding in findings(before))
    fresh = []
    for finding in findings(after):
        if known[finding.code, finding.message] > 0:
            known[finding.code, finding.message] -= 1
        else:
            fresh.append(finding)
    return fresh


def undefined_names(before: str, after: str) -> list[str]:
    """Return in order the undefined names that an edit introduces."""
    old = {finding.name for finding in findings(before) if finding.code == UNDEFINED}
    names = [finding.name for finding in findings(after) if finding.code == UNDEFINED and finding.name not in old]
    return [name for name in dict.fromkeys(names) if not hasattr(builtins, name)]
