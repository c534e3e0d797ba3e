"""Gather outputs and judge them: ``python -m scripts.real_outputs gather FOLDER --model M --out F``, ``report F``.

``gather`` appends one output per line, so an interrupted run leaves a usable file; ``report`` judges them at several
thresholds of ``spark.completion.minConfidence`` and prints JSON; ``keep`` converts them to test data.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import msgspec

from scripts.real_outputs.cursors import cursors_of, snippets_of
from scripts.real_outputs.figures import by_language, by_threshold, names, rules
from scripts.real_outputs.gather import Output, outputs
from scripts.real_outputs.keep import kept_of
from spark_lsp.completion.postprocess.confidence import USUAL_THRESHOLD


def _gather(options: argparse.Namespace) -> None:
    chance = random.Random(options.seed)  # noqa: S311 - which cursors are chosen is no secret
    files = sorted(path for pattern in options.files for path in options.folder.glob(pattern) if path.is_file())
    chance.shuffle(files)
    cursors = [
        cursor
        for path in _by_turns(files)
        for cursor in cursors_of(path, path.relative_to(options.folder).as_posix(), options.regions, chance)
    ]
    if options.snippets:
        cursors = list(snippets_of(options.snippets.read_text("utf-8")))
    with options.out.open("ab") as file:
        for output in outputs(options.model, cursors[: options.cursors]):
            file.write(msgspec.json.encode(output) + b"\n")
            file.flush()


def _by_turns(files: Sequence[Path]) -> Iterator[Path]:
    """Yield files of each kind in turn: most projects are mostly in one language."""
    kinds: dict[str, list[Path]] = {}
    for path in files:
        kinds.setdefault(path.suffix, []).append(path)
    for turn in zip_longest(*kinds.values()):
        yield from (path for path in turn if path is not None)


def read(path: Path) -> list[Output]:
    """Return the outputs of a file."""
    return [msgspec.json.decode(line, type=Output) for line in path.read_bytes().splitlines()]


def _report(options: argparse.Namespace) -> None:
    all_outputs = [output for path in options.outputs for output in read(path)]
    groups = {"all": all_outputs} | by_language(all_outputs)
    report: dict[str, dict[str, object]] = {
        name: {"thresholds": by_threshold(group), "rules": rules(group)} for name, group in groups.items()
    }
    if options.folder:
        report["all"]["names"] = names(all_outputs, options.folder)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


def _keep(options: argparse.Namespace) -> None:
    kept = kept_of([output for path in options.outputs for output in read(path)], options.confidence)
    options.to.write_bytes(b"".join(msgspec.json.encode(output) + b"\n" for output in kept))


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    gather = commands.add_parser("gather")
    gather.add_argument("folder", type=Path)
    gather.add_argument("--files", nargs="+", default=["**/*.py"], help="Which files, as globs below the folder.")
    gather.add_argument("--snippets", type=Path, help="Short texts with cursors, in place of the folder's files.")
    gather.add_argument("--model", required=True)
    gather.add_argument("--out", type=Path, required=True)
    gather.add_argument("--cursors", type=int, default=200)
    gather.add_argument("--regions", type=int, default=2, help="Of each file.")
    gather.add_argument("--seed", type=int, default=0)
    gather.set_defaults(run=_gather)
    report = commands.add_parser("report")
    report.add_argument("outputs", type=Path, nargs="+")
    report.add_argument("--folder", type=Path, help="Where the files came from, to see which names are known.")
    report.set_defaults(run=_report)
    keep = commands.add_parser("keep")
    keep.add_argument("outputs", type=Path, nargs="+")
    keep.add_argument("--to", type=Path, required=True)
    keep.add_argument("--confidence", type=float, default=USUAL_THRESHOLD)
    keep.set_defaults(run=_keep)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
