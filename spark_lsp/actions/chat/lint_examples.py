"""Examples of fixes for well-known linter rules: the lines before and after. Pure.

Without an example a small model returns the lines unchanged. The rules are ruff's; the tests check each example
with ruff itself.
"""

import ast
import re
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.chat import examples_flake8, examples_newer


@dataclass(frozen=True, slots=True)
class Example:
    """Lines with a finding of a rule, and the same lines fixed."""

    before: str
    after: str

    @property
    def words_that_go(self) -> frozenset[str]:
        """The names that only the unfixed lines have: the names that the rule is about."""
        before, after = (frozenset(re.findall(r"\w+", text)) for text in (self.before, self.after))
        return before - after

    @property
    def is_one_statement(self) -> bool:
        """Whether fixing a single statement is enough; otherwise the rule is about the enclosing function."""
        statements = ast.parse(self.before).body
        return len(statements) == 1 and not isinstance(statements[0], ast.FunctionDef | ast.ClassDef)


def _read(text: str) -> dict[str, Example]:
    examples = {}
    for block in text.strip("\n").split("\n\n"):
        code, lines = block.split("\n", 1)
        before, after = lines.split("\n->\n")
        examples[code] = Example(before, after)
    return examples


EXAMPLES: Final = _read(examples_flake8.TEXT) | _read(examples_newer.TEXT)
"""Examples by rule code."""


BEGINS_OTHERWISE: Final = frozenset(
    ("C400", "C401", "C402", "C403", "C404", "C405", "C406", "C408", "C409", "C410", "C411", "C413", "C416", "C417",
     "F541", "FURB118", "FURB136", "PIE810", "RET505", "RET506", "RET507", "RET508", "RUF005", "RUF015", "SIM108",
     "SIM210", "SIM211", "SIM300", "UP006", "UP007", "UP012", "UP018", "UP025", "UP031", "UP032", "UP034", "UP045")
)  # fmt: skip
"""Rules whose fixed text cannot begin with the same character as the finding."""


def example_of(diagnostic: Diagnostic) -> Example | None:
    """Return the example for a diagnostic's rule, None if there is none."""
    return EXAMPLES.get(diagnostic.code)
