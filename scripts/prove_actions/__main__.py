"""Apply actions to real functions, run their tests, and count: ``python -m scripts.prove_actions``.

Examples: python -m scripts.prove_actions --modules textwrap,shlex
          python -m scripts.prove_actions --programs 1000
          python -m scripts.prove_actions --packages FOLDER --rounds 3 --most 60
          python -m scripts.prove_actions --packages FOLDER --signatures
"""

import argparse
import re
import sys
import time
from collections import Counter
from pathlib import Path

from scripts.prove_actions.corpus import SUBJECTS
from scripts.prove_actions.lists import measure
from scripts.prove_actions.made import prove_made
from scripts.prove_actions.packaged import prove_package
from scripts.prove_actions.packages import load
from scripts.prove_actions.real import ProofCounts, prove
from scripts.prove_actions.signatures import prove_signatures
from scripts.prove_actions.trials import ACTIONS
from scripts.prove_actions.with_rope import ROPE_ACTIONS


def main() -> int:
    """Run the rounds; return 1 if an edit was wrong."""
    parser = argparse.ArgumentParser(prog="prove_actions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often each module is gone through")
    parser.add_argument("--seed", type=int, default=1, help="where the dice start")
    parser.add_argument("--modules", default="", help="modules or packages by name, with commas; all without")
    parser.add_argument("--packages", type=Path, help="try published packages instead, downloaded to that folder")
    parser.add_argument(
        "--signatures", action="store_true", help="change signatures of the packages' functions instead"
    )
    parser.add_argument("--most", type=int, default=60, help="edits of a package in a round")
    parser.add_argument("--actions", default=",".join(ACTIONS), help="actions by id, with commas")
    parser.add_argument("--programs", type=int, default=0, help="try this many programs made by dice instead")
    parser.add_argument(
        "--limit", type=float, default=600.0, help="seconds after which no new program or module is begun"
    )
    parser.add_argument("--library", choices=("spark", "rope"), default="spark", help="whose edits are tried")
    parser.add_argument("--lists", action="store_true", help="measure how long lists of actions take instead")
    options = parser.parse_args()
    if options.lists:
        sys.stdout.write(measure(Path(__file__).resolve().parents[2]))
        return 0
    wanted = set(options.modules.split(",")) - {""}
    actions = tuple(options.actions.split(","))
    counts = ProofCounts()
    if options.programs:
        edit_functions = ROPE_ACTIONS if options.library == "rope" else ACTIONS
        count = prove_made(options.seed, options.programs, options.limit, edit_functions, actions, counts)
        sys.stdout.write(f"programs: {count}\n{report(counts)}")
        return 1 if counts.wrong else 0
    if options.packages:
        _packages(options, wanted, actions, counts)
    else:
        _modules(options, wanted, actions, counts)
    sys.stdout.write(report(counts))
    return 1 if counts.wrong else 0


def _packages(options: argparse.Namespace, wanted: set[str], actions: tuple[str, ...], counts: ProofCounts) -> None:
    began = time.monotonic()
    for package in load():
        if (wanted and package.name not in wanted) or time.monotonic() - began > options.limit:
            continue
        seeds = range(options.seed, options.seed + options.rounds)
        if options.signatures:
            prove_signatures(package, options.packages, seeds, options.most, counts)
        else:
            prove_package(package, options.packages, seeds, options.most, actions, counts)
        _tell(package.name, counts)


def _modules(options: argparse.Namespace, wanted: set[str], actions: tuple[str, ...], counts: ProofCounts) -> None:
    began = time.monotonic()
    for number in range(options.rounds):
        for subject in SUBJECTS:
            if (wanted and subject.module not in wanted) or time.monotonic() - began > options.limit:
                continue
            prove(subject, options.seed + number, actions, counts)
            _tell(subject.module, counts)


def _tell(name: str, counts: ProofCounts) -> None:
    applied = sum(counts.applied.values())
    sys.stderr.write(f"{name}: {applied} applied so far, {len(counts.wrong)} wrong\n")
    sys.stderr.writelines(f"WRONG {failure}\n" for failure in counts.wrong if failure.startswith(name))


def report(counts: ProofCounts) -> str:
    """Return the counts as text."""
    lines = [f"modules with their tests: {len(counts.modules)}"] if counts.modules else []
    lines += [f"left out, {skipped}" for skipped in counts.skipped]
    for action in sorted({*counts.applied, *(action for action, _message in counts.refused)}):
        reasons: Counter[str] = Counter()
        for (kind, message), count in counts.refused.items():
            if kind == action:
                reasons[_general(message)] += count
        lines.append(f"{action}: applied {counts.applied[action]}, refused {sum(reasons.values())}")
        lines += [f"  {count} {message}" for message, count in reasons.most_common()]
    lines += [f"WRONG {failure}" for failure in counts.wrong]
    lines.append(f"wrong: {len(counts.wrong)}")
    return "\n".join(lines) + "\n"


def _general(message: str) -> str:
    """Return a refusal without the names in it."""
    named = re.sub(r"^[\w.]+ (?=is |may |belongs |means |cannot )", "… ", message)
    return re.sub(r"\b(reads|defines|assigns|deletes|declares|value of|uses|name than|where) [\w.]+", r"\1 …", named)


if __name__ == "__main__":
    sys.exit(main())
