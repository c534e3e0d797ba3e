"""Words of our own that the field has a word for do not come back: the list against all tracked text.

A word is listed here once it has left the code. Its ordinary English sense stays allowed where an exception says so.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.repo.source import ROOT, modules, report

SKIPPED = ("tests/llama/texts/", "tests/fixtures/", "samples/", "editors/vscode/package-lock.json")
"""Text that only stands for a user's, or that a tool writes."""
SUFFIXES = (".py", ".md", ".toml", ".lua", ".ts", ".el", ".sh", ".scm", ".yml", ".yaml", "Makefile", "run")


@dataclass(frozen=True, slots=True)
class Word:
    """A pattern, what to write in its place, and patterns of ``path: line`` where it means something else."""

    pattern: str
    instead: str
    except_in: tuple[str, ...] = ()


WORDS = (
    Word(
        r"\b_?(?:[A-Z0-9]+_)*(?:MOST|LEAST|FEWEST|LONGEST|LARGEST|SHORTEST|SMALLEST)_[A-Z]",
        "MAX_ or MIN_",
    ),
    Word(r"\b[Rr]ooms\b", "packages, or a workspace"),
    Word(r"\bcore room|\b(?:this|only|every|each|known|inner) room\b", "package"),
    Word(r"\bseams?\b", "interface"),
    Word(r"\brims?\b", "where it comes in, adapter"),
    Word(r"\b[Mm]end(?:s|ed|ing)?\b", "fix", (r"actions/chat/fix.py",)),
    Word(r"\bwaver(?:s|ed|ing)?\b", "vary"),
    Word(r"\b[Aa]new\b|_anew", "again"),
    Word(r"\b(?:lies|lie)\b(?! (?:to|about))", "is, are, is in"),
    Word(r"\b[Ss]ittings?\b", "run (of training)"),
    Word(r"\bpick(?:s|ed)? up\b", "resume"),
    Word(r"\bopenings\b|\bOpenings\b|\bearlier_syntax\b", "baseline texts, baseline"),
    Word(r"\bclass Earlier\b|\bEarlier\(", "BaselineText"),
    Word(r"\bactions\.(?:frame|written)\b|\bframe_of\b|\bFrame\(", "body edit, model body", (r"frames?\.", r"browser")),
    Word(r"\bin_doubt\b|\b[Tt]rouble(?:s|_of)?\b(?!shoot)", "uncertain, call issue"),
    Word(r"\bclass Offers?\b|\.offers\(", "available action, model offer"),
    Word(r"\b(?:foresee\w*|foresight|hindrance)\b", "precheck, disabled reason"),
    Word(r"\bunheeded\b", "ignored reason"),
    Word(r"\blaid together\b", "grouped by file"),
    Word(r"[Tt]runks?(?![a-z])|TRUNK", "cached prefix", (r"wait_behind_trunk",)),
    Word(
        r"\blaid (?:over|out anew)\b|\blaid_over\b|\b[Ss]et apart from the garbage|\bset_apart(?:_when_laid_out)?\b",
        "overlaid, rebuilt, frozen",
    ),
    Word(r"\blooked_of\b|\blook_at_all\b|\bFactsSource\b", "scan result, file facts"),
    Word(
        r"\bstand_together\b|\bhomes?_of\b|\bseen_files\b|\bstandings?\(",
        "co-occurrence, definition sites, visible files",
    ),
    Word(
        r"\bHeads\b|\bHEADED\b|\b(?:pieces|lines|windows)_alike|\b(?:pieces|lines) alike\b", "signatures, similar lines"
    ),
    Word(
        r"\bTAILS\b|tail_tokens|\b[Tt]ails? (?:of \d|that|is|are|share)|\b[Tt]he tails?\b",
        "snippets, volatile part, request slot",
        (r"replacements\.py", r"ends as a tail"),
    ),
    Word(r"\bwalls?\b", "layer boundary", (r"wall[ -](?:clock|time)", r"Wall clock")),
    Word(
        r"\bHole\b|\b(?:hole_of|hole_at|TypeHole|KNOWN_HOLE)\b",
        "cursor context, missing annotation",
        (r"^models/training/|^tests/training/|context_quality|token_boundary",),  # a benchmark's masked text
    ),
    Word(r"\b_?[Tt]all(?:y|ies)\b", "statistics, counts", (r"Tallies\.",)),
    Word(
        r"\b(?:ReadAhead|Screens|Rhythm|Cleaned|_Fate|_Life|_restraint|_rhythm|judged_of)\b"
        r"|\bclass (?:Runs?|Streak|Following|Moment|Judged)\b"
        r"|\bcompleter\.(?:runs|screens|following)\b|\bworkspace\.ahead\b",
        "cursor prefetch, shown suggestions, typing speed, edit state, result, generation, outcome, rejection back-off",
        (r"typing_trace|compare/|Judged by|^tests/editors/|index/refresh|test_length_policy",),
    ),
    Word(r"\b[Ii]nfill\b", "completion request", (r"/infill\b", r"spm-infill", r'"infill"')),
    Word(r"\b[Cc]ontrol tokens?\b|\bcontrol_token", "special token"),
    Word(r"\b(?:ReadCost|read_cost)\b", "prefill cost"),
    Word(
        r"\b(?:heirs|rival_of|makers_of|certain_inside|lasting names|new_head|NewHead|TypeHole)\b"
        r"|\bclass Track\b|\b_track\b|\bsaying\(",
        "subclasses, same-name methods, class hierarchy, constructors, definitely assigned, live-out, signature",
    ),
    Word(
        r"\bhead_text\b|\bhead_of_stub\b|\b(?:[Ff]unction|[Mm]ethod|[Dd]efinition|changed|new|old)(?:'s)? heads?\b",
        "signature",
    ),
    Word(
        r"\b(?:[Ww]orkbench|[Dd]esk|_desk|side_desk)\b", "model runtime, generation context", (r"^(?:tests/)?editors/",)
    ),
    Word(
        r"\b_?[Ss]eats?\b|\b_?(?:shed|victim|make_room)\b|\bVictim\b|\b_shed_",
        "slot, eviction candidate, evict, ensure free",
    ),
    Word(
        r"\b_?[Ss]hel(?:f|ves)\b|\bChunkStore\b|\bSavedChunk\b",
        "block cache, block store, KV block",
        (r"^tests/repo/test_context_quality",),
    ),
    Word(r"\b_?[Pp]ayoffs?\b|_payoff\b|\bcredit_steps\b|CREDIT_", "length policy, budget"),
    Word(r"\b[Yy]ardsticks?\b|\bbare loop\b", "baseline"),
    Word(
        r"\b_?[Rr]ungs?\b|\bladder\b|\b_climb\b|\bdry_run\b",
        "fallback step, memory estimate",
        (r"models/training", r"dry_run"),
    ),
    Word(
        r"\b[Ww]orking points?\b|\bWorkingPoints?\b|\b[Cc]ore share\b|\bCoreShare\b",
        "known-good configuration, thread budget",
    ),
    Word(r"\bPatience\b|\bhang_patience\b|\b_suspects\b", "hang timeout, suspect request"),
    Word(r"\bdepth_tokens\b", "n_past"),
)


NOT_NOUNS = {"each", "told", "said", "made", "found", "one", "other"}
"""Names that do not say what a variable holds; ``other`` stays in special methods, where Python's own pages use it."""


@cache
def _lines() -> tuple[tuple[str, int, str], ...]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    own = "tests/repo/test_vocabulary.py"
    names = [name for name in listed.splitlines() if name.endswith(SUFFIXES) and not name.startswith((*SKIPPED, own))]
    return tuple(
        (name, number, line)
        for name in names
        if (ROOT / name).is_file()
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1)
    )


def faults(word: Word, lines: tuple[tuple[str, int, str], ...]) -> list[str]:
    """Return where a word stands although it should not."""
    pattern = re.compile(word.pattern)
    allowed = [re.compile(pattern_text) for pattern_text in word.except_in]
    return [
        f"{name}:{number}: {match[0]!r}; write {word.instead}"
        for name, number, line in lines
        if (match := pattern.search(line)) and not any(exception.search(f"{name}: {line}") for exception in allowed)
    ]


def test_private_words_do_not_come_back() -> None:
    report([fault for word in WORDS for fault in faults(word, _lines())])


def test_the_list_finds_what_it_should() -> None:
    lines = (("a.py", 1, "MOST_LINES = 3  # of this room"), ("a.py", 2, "wall clock"), ("a.py", 3, "room for a row"))
    all_faults = [fault for word in WORDS for fault in faults(word, lines)]
    assert [fault.split(":")[1] for fault in all_faults] == ["1", "1"]


def _bound_names(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield each name that a node binds, with its line: variables, parameters, fields, functions, and ``as`` names."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            yield node.lineno, name
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            arguments = node.args
            own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            is_special = re.fullmatch(r"__\w+__", getattr(node, "name", ""))
            yield from ((arg.lineno, arg.arg) for arg in own if arg and not (is_special and arg.arg == "other"))
            yield node.lineno, getattr(node, "name", "")
        case ast.Import() | ast.ImportFrom():
            yield from ((node.lineno, alias.asname or "") for alias in node.names)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield node.lineno, name


def names_that_are_no_nouns(tree: ast.AST) -> list[tuple[int, str]]:
    """Return the line and the name of each binding whose name does not say what it holds."""
    return [binding for node in ast.walk(tree) for binding in _bound_names(node) if binding[1] in NOT_NOUNS]


def test_a_variable_is_named_by_what_it_holds() -> None:
    folders = ("spark_lsp", "scripts", "tests", "models/training")
    read = [module for folder in folders for module in modules(folder) if not module.place.startswith(SKIPPED)]
    assert len(read) > 800
    report(
        [
            f"{module.place}:{line}: {name!r}; write the noun of what it holds"
            for module in read
            for line, name in names_that_are_no_nouns(module.tree)
        ]
    )


def test_names_that_are_no_nouns_are_found_wherever_they_are_bound() -> None:
    text = (
        "def told(one, *, made=1):\n    for each in one:\n        (found := each)\n"
        "class C:\n    said: str\n    def __eq__(self, other): ...\n    def of(self, other): ...\n"
    )
    bound = sorted(name for _, name in names_that_are_no_nouns(ast.parse(text)))
    assert bound == ["each", "found", "made", "one", "other", "said", "told"]
