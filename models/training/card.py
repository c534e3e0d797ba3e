"""Writes what an evaluation found as JSON, and the model card from that. Pure but for ``main``.

usage: python -m models.training.card models/spark-nano/spark-nano.gguf --answers FILE [--before FILE] --to FILE.json
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from models.training.scores import Outcome, paired_difference, wilson

MODES = ("context", "none", "random")
WORDS = {
    "context": "the packer's context",
    "none": "no context",
    "random": "another package's context",
    "line": "rest of a line",
    "block": "block",
}

PAGE = """\
# Model card: spark-nano

<!-- Written by models/training/card.py from evaluation.json beside it; `make generate` writes it again. -->

A language model of {parameters} parameters that fills in the middle of Python code.
It is the embedded default of Spark LSP, so that completion works right after the installation, without a download.
It is very small: it completes familiar Python lines, but it does not understand a program.
For daily work choose a larger model with `spark.model`.

| | |
|---|---|
| file | `spark-nano.gguf`, {megabytes} MB, Q8_0 |
| architecture | qwen3: width 256, 6 layers, 4 heads, 2 key-value heads, tied embeddings, norms on queries and keys |
| vocabulary | 8,192 tokens, byte-level BPE, with Qwen2.5-Coder's special tokens |
| order | suffix, prefix, middle (metadata key `spark.fim_order` = `spm`); the other order was not trained |
| context | {context_tokens} tokens, the longest sample it was trained on |
| languages | Python |
| licence | MIT, see `LICENSE` |
| speed on two cores | {read_speed} tokens/s prefill, {write_speed} tokens/s decode |

## What it can do

Holes in {package_count} packages that no training sample comes from ({packages}), prompts of up to {prompt_tokens} tokens, greedy.
For a line, the hole is the rest of the line, and only the first line of the answer counts.

| hole | prompt with | holes | exact match [95 %] | similarity | ends by itself |
|---|---|---|---|---|---|
{rows}

The effect of context on the same holes (difference in exact matches, with half of the 95 % interval):

{worth}
{before}
Loss on held-out samples: {loss} nats a token over all tokens, {loss_middle} over answers alone.
Greedy text is the same in PyTorch and in llama.cpp for 200 tokens behind 20 held-out prompts, but for ties.

## How it was made

It was trained on {tokens} million tokens in {minutes} minutes on two cores of a shared machine.
The text is the Python files of the packages in [manifest.toml](../training/manifest.toml), by name, version and licence; all are permissive.
Generated and vendored files, copies, near copies and secrets are left out, and a check fails on any overlap with the held-out packages.
[models/training](../training/README.md) explains how to train it.

## Limits

It repeats itself and invents names; the trim rules of Spark LSP remove some of that.
It may reproduce text of its training data.
It does not know whether code is safe or correct: read a suggestion before you keep it.
"""  # noqa: E501


def page(facts: dict[str, Any]) -> str:
    """Return the model card."""
    rows = [
        f"| {WORDS[row['shape']]} | {WORDS[row['mode']]} | {row['holes']} "
        f"| {row['exact']:.3f} [{row['low']:.3f}, {row['high']:.3f}] | {row['similarity']:.3f} | {row['ends']:.2f} |"
        for row in facts["figures"]
    ]
    worth = [
        f"- {WORDS[row['shape']]}: {row['difference']:+.3f} ± {row['half']:.3f} over {WORDS[row['over']]}"
        for row in facts["context"]
    ]
    before = [
        f"- {WORDS[row['shape']]}, {WORDS[row['mode']]}: {row['exact']:.3f} "
        f"[{row['low']:.3f}, {row['high']:.3f}], ends by itself {row['ends']:.2f}"
        for row in facts["before"]
    ]
    replaced = ["", "The file that it replaces, on the same holes:", "", *before, ""] if before else [""]
    numbers = {name: f"{facts[name]:,}" for name in ("parameters", "context_tokens", "prompt_tokens", "minutes")}
    speeds = {name: f"{facts[name]:,}" for name in ("read_speed", "write_speed")}
    return PAGE.format(
        **numbers,
        **speeds,
        megabytes=facts["megabytes"],
        tokens=facts["tokens"],
        loss=facts["loss"],
        loss_middle=facts["loss_middle"],
        package_count=len(facts["packages"]),
        packages=", ".join(facts["packages"]),
        rows="\n".join(rows),
        worth="\n".join(worth),
        before="\n".join(replaced),
    )


def read_answers(path: Path) -> list[Outcome]:
    """Read what ``evaluate --out`` wrote."""
    return [Outcome(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def figures(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return a row for each shape and mode, with the 95 % interval of the exact matches."""
    rows = []
    for shape, mode in sorted({(outcome.shape, outcome.mode) for outcome in outcomes}):
        chosen = [outcome for outcome in outcomes if (outcome.shape, outcome.mode) == (shape, mode)]
        hits, count = sum(outcome.exact for outcome in chosen), len(chosen)
        low, high = wilson(hits, count)
        rows.append(
            {
                "shape": shape,
                "mode": mode,
                "holes": count,
                "exact": round(hits / count, 3),
                "low": round(low, 3),
                "high": round(high, 3),
                "similarity": round(sum(outcome.similarity for outcome in chosen) / count, 3),
                "ends": round(sum(outcome.ends for outcome in chosen) / count, 3),
            }
        )
    return rows


def worth_of_context(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return for each shape how much more often a hole is filled exactly with the packer's context than without."""
    rows = []
    for shape in sorted({outcome.shape for outcome in outcomes}):
        exact = {
            mode: [outcome.exact for outcome in outcomes if (outcome.shape, outcome.mode) == (shape, mode)]
            for mode in MODES
        }
        for baseline in ("none", "random"):
            mean, half = paired_difference(exact["context"], exact[baseline])
            rows.append({"shape": shape, "over": baseline, "difference": round(mean, 3), "half": round(half, 3)})
    return rows


def report(
    model: Path, outcomes: Sequence[Outcome], before: Sequence[Outcome], facts: dict[str, Any]
) -> dict[str, Any]:
    """Return all figures of a model; ``before`` are the answers of the model that it replaces, on the same holes."""
    return {
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        **facts,
        "packages": sorted({outcome.package for outcome in outcomes}),
        "figures": figures(outcomes),
        "context": worth_of_context(outcomes),
        "before": figures(before) if before else [],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--fact", nargs="*", default=[], help="KEY=VALUE for what the card tells of the training")
    options = parser.parse_args(arguments)
    before = read_answers(options.before) if options.before else []
    card = report(options.model, read_answers(options.answers), before, dict(_facts(options.fact)))
    options.to.write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    return 0


def _facts(assignments: Iterable[str]) -> Iterable[tuple[str, Any]]:
    for fact in assignments:
        key, _, value = fact.partition("=")
        try:
            yield key, json.loads(value)
        except json.JSONDecodeError:
            yield key, value


if __name__ == "__main__":
    sys.exit(main())
