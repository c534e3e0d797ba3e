"""``python -m scripts.context_quality``: choose holes, run them, print tables, show prompts."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from scripts.context_quality.case import Sizes, Workspace
from scripts.context_quality.holes import Hole
from scripts.context_quality.model import Model
from scripts.context_quality.packages import load
from scripts.context_quality.run import choose, laid_out, run, text_of
from scripts.context_quality.table import read, table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    holes = commands.add_parser("holes", help="choose holes and write them to a file")
    for name, count in (("needs", 60), ("local", 20), ("block", 10), ("mid-word", 10)):
        holes.add_argument(f"--{name}", type=int, default=count)
    holes.add_argument("--seed", type=int, default=1)
    holes.add_argument("--use", choices=["tune", "report"], default="report")
    measure = commands.add_parser("run", help="ask the model; what the results hold already is not asked again")
    show = commands.add_parser("show", help="print prompts")
    for command in (measure, show):
        command.add_argument("--modes", nargs="+", required=True)
        command.add_argument(
            "--sizes", type=int, nargs=3, default=[192, 64, 512], metavar=("BEFORE", "AFTER", "CONTEXT")
        )
        command.add_argument(
            "--part", type=int, nargs=2, default=[0, 1], metavar=("K", "N"), help="the K-th of N parts"
        )
    measure.add_argument("--write", action="store_true", help="let the model write answers too; slower")
    measure.add_argument("--out", type=Path, required=True)
    measure.add_argument(
        "--by-package", action="store_true", help="one package after the other: a long cached prefix is prefilled once"
    )
    measure.add_argument("--context-tokens", type=int, default=8192)
    measure.add_argument("--threads", type=int, default=1)
    for command in (holes, measure, show):
        command.add_argument("--folder", type=Path, required=True, help="where the packages are")
        command.add_argument("--holes", type=Path, required=True)
        command.add_argument("--model", type=Path, required=True)
    tables = commands.add_parser("table", help="print tables of results")
    tables.add_argument("results", type=Path, nargs="+")
    tables.add_argument("--base", default="none")
    tables.add_argument("--best", default="", help="the mode to set beside every other")
    tables.add_argument("--modes", nargs="*", default=[])
    return parser


def _holes(path: Path, part: list[int]) -> list[Hole]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    holes = [Hole(**{**row, "needed": tuple(row["needed"])}) for row in rows]
    return holes[part[0] :: part[1]]


async def _show(workspaces: list[Workspace], holes: list[Hole], options: argparse.Namespace) -> None:
    by_name = {known.package.folder_name: known for known in workspaces}
    for hole in holes:
        workspace = by_name[hole.package]
        text = workspace.index.view().files[hole.path].text
        with workspace.without(hole) as snapshot:
            case = await workspace.case(hole, snapshot, text[hole.start : hole.end].rstrip(), Sizes(*options.sizes))
            for mode in options.modes:
                _say(f"===== {hole.key} {mode} needs {hole.needed}")
                _say(f"{text_of(await laid_out(case, mode))}\n----- expected: {case.expected!r}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> int:
    """Run one command."""
    options = _parser().parse_args()
    if options.command == "table":
        _say("\n".join(table(read(options.results), options.base, options.best, options.modes)))
        return 0
    if options.command == "run":
        model = Model(str(options.model), context_tokens=options.context_tokens, threads=options.threads)
    else:
        model = Model(str(options.model), vocab_only=True)
    use = options.use if options.command == "holes" else None
    names = None if use else {hole.package for hole in _holes(options.holes, [0, 1])}
    packages = [package for package in load() if package.use == use or (names and package.folder_name in names)]
    workspaces = [Workspace.of(package, options.folder, model) for package in packages]
    if options.command == "holes":
        counts = {name: getattr(options, name) for name in ("needs", "local", "block", "mid_word")}
        chosen = choose(workspaces, counts, options.seed)
        options.holes.write_text("".join(json.dumps(asdict(hole)) + "\n" for hole in chosen), "utf-8")
        _say(f"{len(chosen)} holes")
    elif options.command == "show":
        asyncio.run(_show(workspaces, _holes(options.holes, options.part), options))
    else:
        for workspace in workspaces:
            named = (hole for hole in _holes(options.holes, [0, 1]) if hole.package == workspace.package.folder_name)
            workspace.open_paths = frozenset(hole.path for hole in named)
        holes = _holes(options.holes, options.part)
        if options.by_package:
            holes.sort(key=lambda hole: hole.package)
        asyncio.run(
            run(workspaces, holes, options.modes, Sizes(*options.sizes), model, options.out, writes=options.write)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
