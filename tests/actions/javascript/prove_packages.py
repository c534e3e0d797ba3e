"""Apply the JavaScript actions to real packages, run these before and after, and count.

Example: npm pack acorn@8 js-yaml@4 esprima@4 mustache@4, unpack them, then
    python -m tests.actions.javascript.prove_packages FOLDER --edits 60
    python -m tests.actions.javascript.prove_packages --made 100

Each package runs on fixed input; its output is recorded once and compared after every single edit. Only
code that the input reaches is edited, by V8's coverage.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import Phase, given, settings

from spark_lsp.actions.javascript import extract_function, extract_variable, inline
from spark_lsp.actions.javascript.piece import piece_at
from spark_lsp.actions.javascript.scopes import names_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax
from tests.actions.javascript.execute import PROGRAMS, expression_selections, outcomes, parsed, statement_selections
from tests.actions.javascript.programs_made import PROGRAMS_MADE

Edits = tuple[Edit, ...]
Finder = Callable[[Syntax, Span], "Edits | Refusal | None"]

DRIVERS = {
    "acorn": (
        "dist/acorn.js",
        "const a = module.exports; return [a.parse(TEXT, {ecmaVersion: 2022, locations: true})];",
    ),
    "esprima": (
        "dist/esprima.js",
        "const e = module.exports; return [e.parseScript(TEXT, {loc: true, comment: true})];",
    ),
    "js-yaml": (
        "dist/js-yaml.js",
        "const y = module.exports; const d = y.load(DOC); return [d, y.dump(d), y.loadAll(DOC + '\\n---\\n- 1\\n')];",
    ),
    "mustache": (
        "mustache.js",
        (
            "const m = module.exports; return [m.render('{{#a}}<{{b}}>{{{c}}}{{^d}}none{{/d}}{{/a}}{{>p}}{{! x }}', "
            "{a: [{b: '<&>', c: '<i>'}, {b: 2, d: true}], e: () => 'f'}, {p: ' {{e}} ok'})];"
        ),
    ),
}
"""Package: the file, and the call to make. A parser's input is its own source."""
HASH = "let h = 0; for (let i = 0; i < all.length; i++) h = (h * 31 + all.charCodeAt(i)) | 0; return [h, all.length];"
NAMED = re.compile(r"^\w+ (?=is |may |belongs |changes )|(?<=The type )\w+ |(?<=changes )\w+")
DOCUMENT = (
    "a: &x {b: 1.5, c: [true, null, 0x1F, 2001-12-14], d: 'it''s'}\nb: *x\nt: |\n  one\n   two\n\n"
    "f: >-\n  folded\n  text\n"
    's: !!set {x, y}\n? [k, l]\n: !!binary aGVsbG8=\ne: "\\u263A \\x41"\n<<: *x\n'
)


def functions(syntax: Syntax, span: Span) -> Edits | Refusal | None:
    """Return the result of extracting a selection to a function."""
    piece = piece_at(syntax, span)
    plan = extract_function.plan_of(piece) if piece is not None else None
    return extract_function.edits_of(plan, "extracted") if isinstance(plan, extract_function.ExtractionPlan) else plan


def variables(syntax: Syntax, span: Span) -> Edits | Refusal | None:
    """Return the result of naming an expression."""
    piece = piece_at(syntax, span)
    if piece is None or not piece.is_expression:
        return None
    naming = extract_variable.naming_of(piece)
    return naming if isinstance(naming, Refusal) else extract_variable.edits_of(naming, "extracted")


def inlinings(syntax: Syntax, span: Span) -> Edits | Refusal | None:
    """Return the result of inlining a variable."""
    inlining = inline.inlining_of(syntax, span.start)
    return inlining if isinstance(inlining, Refusal) else inline.edits_of(inlining)


def declarations(syntax: Syntax) -> Iterator[Span]:
    """Yield every variable's declaration."""
    for use in names_of(syntax.tree.root_node).uses:
        if use.access == "declare" and use.binding is not None and use.binding.kind in {"const", "let", "var"}:
            yield syntax.wrap(use.node).span


ACTIONS: dict[str, tuple[Finder, Callable[[Syntax], Iterator[Span]]]] = {
    "extract.function, statements": (functions, statement_selections),
    "extract.function, expression": (functions, expression_selections),
    "extract.variable": (variables, expression_selections),
    "inline.variable": (inlinings, declarations),
}


def reached(program: str) -> list[tuple[int, int, int]]:
    """Return V8's coverage of a program, as (start, end, count)."""
    node = shutil.which("node")
    assert node is not None, "node is needed"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.js"
        file.write_text(program + "\nmodule.exports.run();\n", "utf-8")
        variables = {**os.environ, "NODE_V8_COVERAGE": str(Path(folder) / "coverage")}
        subprocess.run([node, str(file)], env=variables, check=True, capture_output=True, timeout=60)
        report = json.loads(next((Path(folder) / "coverage").glob("*.json")).read_text("utf-8"))
        own = next(script for script in report["result"] if script["url"].endswith("program.js"))
    return [
        (part["startOffset"], part["endOffset"], part["count"])
        for function in own["functions"]
        for part in function["ranges"]
    ]


def prove(text: str, driver: str, edits: int, chance: random.Random, counts: Counter[str], why: Counter[str]) -> None:
    """Try each action at random places of one package."""
    values = f"const TEXT = {json.dumps(text)}; const DOC = {json.dumps(DOCUMENT)};"
    tail = (
        f"\nmodule.exports.run = () => {{ {values} const all = JSON.stringify((() => {{ {driver} }})()); {HASH} }};\n"
    )
    ranges = sorted(reached(text + tail), key=lambda part: part[1] - part[0])
    syntax = parsed(text)
    for name, (finder, places) in ACTIONS.items():
        spans = list(places(syntax))
        chance.shuffle(spans)
        programs: list[str] = []
        for span in spans:
            inner = next((part for part in ranges if part[0] <= span.start and span.end <= part[1]), None)
            if len(programs) >= edits or inner is None or not inner[2] or len(span) > 2000:
                continue
            result = finder(syntax, span)
            if isinstance(result, Refusal):
                counts[f"{name}: refused"] += 1
                why[NAMED.sub("… ", result.message)] += 1
            elif result is not None:
                programs.append(apply_edits(text, result) + tail)
        expected, *outputs = outcomes([text + tail, *programs])
        assert expected[-1].startswith('"=>"'), expected[-1][:300]
        for program, outcome in zip(programs, outputs, strict=True):
            counts[f"{name}: applied"] += 1
            if outcome != expected:
                counts[f"{name}: wrong"] += 1
                Path(tempfile.gettempdir(), "wrong.js").write_text(program, "utf-8")


def prove_programs(program_count: int, counts: Counter[str], why: Counter[str]) -> None:
    """Try each action at every place of the test programs, and at some places of random programs."""
    for number, text in enumerate([*PROGRAMS.values(), *dice(program_count)]):
        syntax = parsed(text)
        edited: list[tuple[str, str]] = []
        for name, (finder, places) in ACTIONS.items():
            for span in list(places(syntax))[: None if number < len(PROGRAMS) else 40]:
                result = None if syntax.error_count else finder(syntax, span)
                if isinstance(result, Refusal):
                    counts[f"{name}: refused"] += 1
                    why[NAMED.sub("… ", result.message)] += 1
                elif result is not None:
                    edited.append((name, apply_edits(text, result)))
        compare(text, edited, counts)


def dice(program_count: int) -> list[str]:
    """Return random programs, the same ones each time."""
    programs: list[str] = []

    @settings(
        max_examples=max(program_count, 1), deadline=None, database=None, derandomize=True, phases=[Phase.generate]
    )
    @given(text=PROGRAMS_MADE)
    def collect(text: str) -> None:
        programs.append(text)

    collect()
    return programs[:program_count]


def compare(text: str, edited: list[tuple[str, str]], counts: Counter[str]) -> None:
    """Run a program and its edited forms; a program that does not run by itself is skipped."""
    expected, *outputs = outcomes([text, *(program for _, program in edited)])
    if any(line.startswith('"!!"') for line in expected):
        return
    for (name, program), outcome in zip(edited, outputs, strict=True):
        counts[f"{name}: applied"] += 1
        if outcome != expected:
            counts[f"{name}: wrong"] += 1
            Path(tempfile.gettempdir(), "wrong.js").write_text(program, "utf-8")


def main() -> int:
    """Run the packages in a folder; return 1 if an edit was wrong."""
    parser = argparse.ArgumentParser(prog="prove_javascript", description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", help="where the packages are unpacked, each in a folder of its name"
    )
    parser.add_argument("--edits", type=int, default=60, help="edits of each action and package")
    parser.add_argument("--made", type=int, default=0, help="without a folder: so many programs made by dice as well")
    parser.add_argument("--seed", type=int, default=1, help="where the dice start")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    why: Counter[str] = Counter()
    if arguments.folder is None:
        prove_programs(arguments.made, counts, why)
    for name, (file, driver) in DRIVERS.items() if arguments.folder is not None else ():
        path = next(iter(sorted(arguments.folder.glob(f"{name}-[0-9]*/package/{file}"))), None)
        if path is None:
            sys.stdout.write(f"{name}: not there\n")
            continue
        prove(path.read_text("utf-8"), driver, arguments.edits, random.Random(arguments.seed), counts, why)
        sys.stdout.write(f"{name}: done\n")
        sys.stdout.flush()
    for line, count in sorted(counts.items()):
        sys.stdout.write(f"{count:6} {line}\n")
    for line, count in why.most_common(25):
        sys.stdout.write(f"{count:6} refused: {line}\n")
    return 1 if any(line.endswith("wrong") for line in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
