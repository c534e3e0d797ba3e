"""Measure ways to treat the tokens at the cursor, on real code: ``python -m scripts.token_boundary FOLDER``.

Cuts lines of the Python files of a folder in the middle of a word, behind a blank and behind the indentation, and
requests the rest of the line, once for each way to end the prefix: as it is (none), with its last token chosen
again (token), or with its last word (word). All ways get the same holes, so their figures are paired. One thread.
"""

import argparse
import io
import json
import math
import random
import re
import sys
import time
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rapidfuzz.distance import Levenshtein

from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.fim import Order, build_prompt, family_named
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.llama import healing, prompt_tokens
from spark_lsp.llama.healing import LastWord
from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.loading.gguf_model import TokenCache, Vocabulary
from spark_lsp.llama.runtime import ModelRuntime

LINES_BEFORE, LINES_AFTER = 4, 1
MAX_TOKENS: Final = 16
MIN_LINE, MAX_LINE = 12, 100
LastWordOf = Callable[[Vocabulary, str, Tokens], LastWord | None]


@dataclass(frozen=True, slots=True)
class Hole:
    """A place to complete: the text around it, and the rest of its line."""

    kind: str
    path: str
    prefix: str
    rest: str
    suffix: str


def _no_last_word(_vocabulary: Vocabulary, _text: str, _tokens: Tokens) -> LastWord | None:
    return None


def _last_token(vocabulary: Vocabulary, _text: str, tokens: Tokens) -> LastWord | None:
    end = tokens[-1:]
    return LastWord(vocabulary.piece(int(end[0])), end, 1) if len(end) else None


WAYS: Final[dict[str, LastWordOf]] = {"none": _no_last_word, "token": _last_token, "word": healing.last_word_of}


def holes_of(folder: Path, wanted: int, seed: int) -> list[Hole]:
    """Choose holes of each kind in turn, the same ones each time."""
    chance = random.Random(seed)  # noqa: S311 - which holes are chosen is no secret
    files = [path for path in sorted(folder.rglob("*.py")) if path.stat().st_size > 2_000]
    chance.shuffle(files)
    by_kind: dict[str, list[Hole]] = {"word": [], "blank": [], "indent": []}
    while min(map(len, by_kind.values())) * 3 < wanted:
        path = chance.choice(files)
        for hole in _holes(path, folder, chance):
            by_kind[hole.kind].append(hole)
    return [hole for turn in zip(*by_kind.values(), strict=False) for hole in turn][:wanted]


def _holes(path: Path, folder: Path, chance: random.Random) -> Iterator[Hole]:
    """Yield one hole of each kind in lines of code, neither comments nor docstrings."""
    text = path.read_text("utf-8")
    lines = text.split("\n")
    plain = _code_lines(text)
    if len(plain) < 3:
        return
    for kind in ("word", "blank", "indent"):
        number = chance.choice(plain)
        line = lines[number]
        places = {
            "word": [at for at in range(1, len(line)) if re.match(r"[A-Za-z]{2}", line[at - 1 : at + 1])],
            "blank": [at for at in range(1, len(line)) if re.match(r"\S \S", line[at - 2 : at + 1])],
            "indent": [len(line) - len(line.lstrip())] if line.startswith("    ") else [],
        }[kind]
        if places and MIN_LINE <= len(line.strip()) <= MAX_LINE:
            at = chance.choice(places)
            before = "".join(above + "\n" for above in lines[max(0, number - LINES_BEFORE) : number])
            after = "".join("\n" + below for below in lines[number + 1 : number + 1 + LINES_AFTER])
            yield Hole(kind, path.relative_to(folder).as_posix(), before + line[:at], line[at:], after)


def _code_lines(text: str) -> list[int]:
    """Return the numbers of lines of code that neither begin a string nor are in one."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    string_lines = {line for token in tokens if token.type == tokenize.STRING and "\n" in token.string
            for line in range(token.start[0], token.end[0] + 1)}  # fmt: skip
    lines = text.split("\n")
    return [
        number
        for number, line in enumerate(lines)
        if number + 1 not in string_lines and line.strip() and not line.strip().startswith(("#", '"', "'"))
    ]


def answer(runtime: ModelRuntime, hole: Hole, order: Order | None) -> str:
    """Return the first line of the model's answer."""
    assert runtime.info is not None, "loaded"
    family = family_named(runtime.info.family)
    assert family is not None, "a model that can complete"
    parts = build_prompt(family, order or runtime.info.fim_order, repository="", blocks=(), current_path=hole.path,
                         prefix=hole.prefix, suffix=hole.suffix)  # fmt: skip
    generation = runtime.generation(CompletionRequest(parts, MAX_TOKENS), time.perf_counter())
    text, stop = "", None
    while stop is None and "\n" not in text:
        stop = generation.step()
        chunk = generation.take()
        text += chunk.text if chunk else ""
    text += generation.last_chunk(stop or "cancelled").text
    generation.close()
    return text.split("\n")[0]


def _ending(runtime: ModelRuntime, hole: Hole, last_word_of: LastWordOf) -> str:
    """Return what is chosen again, which determines the answer: two ways often choose the same again."""
    assert runtime.vocabulary is not None, "loaded"
    last_word = last_word_of(runtime.vocabulary, hole.prefix, runtime.vocabulary.tokenize(hole.prefix))
    return f"{last_word.dropped} {last_word.tokens.tolist()}" if last_word else ""


def summary(rows: list[dict[str, object]]) -> dict[str, object]:
    """Return the figures of each way, and for each pair of ways how often only one was right."""
    kinds = ("all", "word", "blank", "indent")
    figures: dict[str, object] = {"holes": len(rows)}
    for kind in kinds:
        chosen = [row for row in rows if kind in ("all", row["kind"])]
        for way in WAYS:
            exact = [row[f"{way}_exact"] for row in chosen]
            similar = [float(str(row[f"{way}_similarity"])) for row in chosen]
            figures[f"{kind} {way}"] = {"exact": round(sum(map(bool, exact)) / max(1, len(chosen)), 3),
                                        "similarity": round(sum(similar) / max(1, len(chosen)), 3)}  # fmt: skip
    for first, second in (("none", "token"), ("none", "word"), ("token", "word")):
        gained = sum(bool(row[f"{second}_exact"]) and not row[f"{first}_exact"] for row in rows)
        lost = sum(bool(row[f"{first}_exact"]) and not row[f"{second}_exact"] for row in rows)
        figures[f"{first} -> {second}"] = {"gained": gained, "lost": lost, "sign_test_p": _sign_test(gained, lost)}
    return figures


def _sign_test(gained: int, lost: int) -> float:
    """Return the two-sided probability of so uneven a split if both are alike."""
    count, least = gained + lost, min(gained, lost)
    tail: float = sum(math.comb(count, number) for number in range(least + 1)) / 2**count
    return round(min(1.0, 2 * tail), 4)


def main() -> None:
    """Print JSON; write each hole with its answers to a file at once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--holes", type=int, default=180)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order", choices=("psm", "spm"), help="Instead of the model's own.")
    parser.add_argument("--rows", type=Path, help="Where the answers go, one hole a line.")
    options = parser.parse_args()
    runtime = ModelRuntime(EngineLaunch(model_path=options.model, context_tokens=2048, threads=1), TokenCache())
    runtime.load()
    rows: list[dict[str, object]] = []
    for hole in holes_of(options.folder, options.holes, options.seed):
        row: dict[str, object] = {"kind": hole.kind, "path": hole.path, "before": hole.prefix[-40:], "rest": hole.rest}
        known: dict[str, str] = {}
        for way, last_word_of in WAYS.items():
            vars(prompt_tokens)["last_word_of"] = last_word_of  # the only difference
            same = _ending(runtime, hole, last_word_of)
            text = known[same] = known[same] if same in known else answer(runtime, hole, options.order)
            row |= {way: text, f"{way}_exact": text.rstrip() == hole.rest.rstrip(),
                    f"{way}_similarity": round(Levenshtein.normalized_similarity(text, hole.rest), 4)}  # fmt: skip
        rows.append(row)
        if options.rows:
            with options.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    sys.stdout.write(json.dumps(summary(rows), indent=2) + "\n")


if __name__ == "__main__":
    main()
