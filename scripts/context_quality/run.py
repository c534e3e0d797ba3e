"""Run holes through modes and write a line for each answer, so that an interrupted run can continue."""

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from scripts.context_quality.case import Case, Sizes, Workspace
from scripts.context_quality.holes import Chooser, Hole, need_of
from scripts.context_quality.layouts import TRIED
from scripts.context_quality.model import Model, Step, Tokens
from scripts.context_quality.modes import SELECT
from scripts.context_quality.prompts import LAY_OUT, with_imports
from spark_lsp.engine.base import PromptPart
from spark_lsp.engine.fim import family_named

MAX_ANSWER_TOKENS = {"line": 40, "block": 96}
_WORD = re.compile(r"[^\W\d]\w*")


def choose(workspaces: Sequence[Workspace], counts: dict[str, int], seed: int) -> list[Hole]:
    """Choose holes evenly over the packages: ``needs``, ``local``, ``block`` and ``mid-word`` ones, mixed."""
    holes: list[Hole] = []
    for workspace in workspaces:
        package = workspace.package
        chooser = Chooser(workspace.index.view(), package.folder_name, package.language, seed)
        share = {name: -(-count // len(workspaces)) for name, count in counts.items()}
        holes += chooser.choose("line", share["needs"], needs=True)
        holes += chooser.choose("line", share["local"], needs=False)
        holes += chooser.choose("block", share["block"], needs=True)
        holes += chooser.choose("line", share["mid_word"], needs=True, mid_word=True)
    return mixed(holes, seed)


def mixed(holes: Sequence[Hole], seed: int) -> list[Hole]:
    """Order holes so that each beginning of the list is balanced over the packages: runs may be cut short."""
    chance = random.Random(seed)  # noqa: S311 - shuffles holes
    by_package: dict[str, list[Hole]] = {}
    for hole in chance.sample(list(holes), len(holes)):
        by_package.setdefault(hole.package, []).append(hole)
    rounds = zip_longest(*(by_package[package] for package in sorted(by_package)))
    return [hole for round_holes in rounds for hole in round_holes if hole is not None]


def done_in(path: Path) -> set[tuple[str, str]]:
    """Return the finished pairs of hole and mode in a file of results."""
    if not path.exists():
        return set()
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.endswith("}")]
    return {(row["hole"], row["mode"]) for row in rows}


def text_of(parts: Sequence[PromptPart]) -> str:
    """Return a prompt as one text."""
    return "".join(part.text for part in parts)


async def laid_out(case: Case, mode: str) -> tuple[PromptPart, ...]:
    """Return the prompt of a mode: SELECTION, SELECTION/LAYOUT or imports+SELECTION/LAYOUT."""
    family = family_named("qwen2.5-coder")
    assert family, "the family is known"
    selection, _, layout = mode.removeprefix("imports+").partition("/")
    if mode.startswith("imports+"):
        case = await with_imports(case)
    segments = await {**SELECT, **TRIED}[selection](case, family)
    return LAY_OUT[layout or "repo"](case, family, "psm", segments)


def forced(case: Case, prompt: Tokens, model: Model, wanted: set[str]) -> dict[str, object]:
    """Judge the right text as the model is made to write it: with or without the line's end, whichever costs less.

    A line's last sign and its end are one token if a model continues, two if it stops. ``name_known`` is the share
    of the needed names that it would have written at their first mention.
    """
    ways = [model.force(prompt, text)[:-1] for text in (case.expected, f"{case.expected}\n")]
    inner = min(ways, key=lambda steps: sum(step.nats for step in steps))
    row: dict[str, object] = {"nats": round(sum(step.nats for step in inner), 4), "tokens": len(inner)}
    names = [_cost_of(name, case.expected, inner) for name in sorted(wanted)]
    if names:
        row["name_nats"] = round(sum(nats for nats, _ in names) / len(names), 4)
        row["name_known"] = round(sum(known for _, known in names) / len(names), 4)
    return row


def _cost_of(name: str, text: str, steps: Sequence[Step]) -> tuple[float, bool]:
    """Return the cost of the first mention of a name, and whether each of its tokens was the most likely one."""
    match = next(match for match in _WORD.finditer(text) if match[0] == name)
    place, nats, known = 0, 0.0, True
    for step in steps:
        if place < match.end() and place + len(step.piece) > match.start():
            nats, known = nats + step.nats, known and step.is_best
        place += len(step.piece)
    return nats, known


def written(case: Case, answer: str, wanted: set[str]) -> dict[str, object]:
    """Compare an answer: for a line only its first line counts, for a block as many lines as are missing."""
    expected = case.expected.rstrip()
    shown = "\n".join(answer.rstrip().split("\n")[: expected.count("\n") + 1]).rstrip()
    return {
        "answer": answer,
        "exact": expected == shown,
        "similarity": round(Levenshtein.normalized_similarity(expected, shown), 4),
        "names": round(len(wanted & set(_WORD.findall(shown))) / len(wanted), 4) if wanted else None,
    }


async def measure(case: Case, text: str, mode: str, model: Model, *, writes: bool) -> dict[str, object]:
    """Run the model in one mode."""
    parts = await laid_out(case, mode)
    prompt, whole = model.tokens(parts), text_of(parts)
    near = f"{case.prefix} {case.suffix}"
    wanted = set(case.hole.needed) - set(_WORD.findall(near))
    others = whole.replace(case.prefix, "", 1).replace(case.suffix or "\0", "", 1)
    row = {
        "hole": case.hole.key, "mode": mode, **asdict(case.hole), "need": need_of(case.hole, text, near),
        "prompt": hashlib.sha256(whole.encode()).hexdigest()[:16], "prompt_tokens": len(prompt),
        "shown": bool(wanted) and wanted <= set(_WORD.findall(others)), "expected": case.expected,
        **forced(case, prompt, model, wanted),
    }  # fmt: skip
    if writes:
        answer = model.write(prompt, MAX_ANSWER_TOKENS[case.hole.shape], lines=case.expected.count("\n") + 1)
        row |= written(case, answer, wanted)
    return row


async def run(
    workspaces: Sequence[Workspace],
    holes: Sequence[Hole],
    modes: Sequence[str],
    sizes: Sizes,
    model: Model,
    out: Path,
    *,
    writes: bool,
) -> None:
    """Measure each hole in each mode that the file of results does not contain yet."""
    done = done_in(out)
    by_name = {known.package.folder_name: known for known in workspaces}
    for hole in holes:
        missing = [mode for mode in modes if (hole.key, mode) not in done]
        if not missing:
            continue
        workspace = by_name[hole.package]
        text = workspace.index.view().files[hole.path].text
        with workspace.without(hole) as snapshot:
            case = await workspace.case(hole, snapshot, text[hole.start : hole.end].rstrip(), sizes)
            for mode in missing:
                row = await measure(case, text, mode, model, writes=writes)
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
