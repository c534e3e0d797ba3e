"""Examples of fixes for well-known linter rules: the lines before and after. Pure.

Without an example a small model returns the lines unchanged. The rules of Python are ruff's; the tests check each
example with ruff itself. Those of JavaScript and TypeScript are eslint's, and are checked with eslint where it is
installed.
"""

import re
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.chat import examples_eslint, examples_flake8, examples_newer
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

_WHOLE: Final = frozenset(
    ("class_declaration", "class_definition", "export_statement", "function_declaration", "function_definition")
)


@dataclass(frozen=True, slots=True)
class Example:
    """Lines with a finding of a rule, and the same lines fixed."""

    before: str
    after: str
    language: str = "python"

    @property
    def words_that_go(self) -> frozenset[str]:
        """The names that only the unfixed lines have: the names that the rule is about."""
        before, after = (frozenset(re.findall(r"\w+", text)) for text in (self.before, self.after))
        return before - after

    @property
    def is_one_statement(self) -> bool:
        """Whether fixing a single statement is enough; otherwise the rule is about the enclosing function."""
        syntax = parse(LANGUAGES[self.language], self.before)
        assert syntax is not None, "an example is short"
        statements = syntax.tree.root_node.named_children
        return len(statements) == 1 and statements[0].type not in _WHOLE


def _read(text: str, language: str) -> dict[str, Example]:
    examples = {}
    for block in text.strip("\n").split("\n\n"):
        code, lines = block.split("\n", 1)
        before, after = lines.split("\n->\n")
        examples[code] = Example(before, after, language)
    return examples


EXAMPLES: Final = _read(examples_flake8.TEXT, "python") | _read(examples_newer.TEXT, "python")
"""Examples by rule code."""

SCRIPT_EXAMPLES: Final = _read(examples_eslint.TEXT, "typescript")
"""Examples by the names of eslint's rules, without the plugin's."""


BEGINS_OTHERWISE: Final = frozenset(
    ("C400", "C401", "C402", "C403", "C404", "C405", "C406", "C408", "C409", "C410", "C411", "C413", "C416", "C417",
     "F541", "FURB118", "FURB136", "PIE810", "RET505", "RET506", "RET507", "RET508", "RUF005", "RUF015", "SIM108",
     "SIM210", "SIM211", "SIM300", "UP006", "UP007", "UP012", "UP018", "UP025", "UP031", "UP032", "UP034", "UP045")
)  # fmt: skip
"""Rules whose fixed text cannot begin with the same character as the finding."""


def example_of(diagnostic: Diagnostic) -> Example | None:
    """Return the example for a diagnostic's rule, None if there is none."""
    return EXAMPLES.get(diagnostic.code) or SCRIPT_EXAMPLES.get(diagnostic.code.rpartition("/")[2])
