"""``python -m scripts.prove_actions``: apply actions to real functions, run their tests, and count.

Example: python -m scripts.prove_actions --rounds 1 --modules textwrap,shlex
"""

import argparse
import sys
from collections import Counter

from scripts.prove_actions.corpus import SUBJECTS
from scripts.prove_actions.real import Tally, prove
from scripts.prove_actions.trials import ACTIONS


def main() -> int:
    """Run the rounds; return 1 when an edit was wrong."""
    parser = argparse.ArgumentParser(prog="prove_actions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often each module is gone through")
    parser.add_argument("--seed", type=int, default=1, help="where the dice start")
    parser.add_argument("--modules", default="", help="modules by name, with commas; all without")
    parser.add_argument("--actions", default=",".join(ACTIONS), help="actions by id, with commas")
    told = parser.parse_args()
    wanted = set(told.modules.split(",")) - {""}
    tally = Tally()
    for number in range(told.rounds):
        for subject in SUBJECTS:
            if wanted and subject.module not in wanted:
                continue
            before = len(tally.wrong)
            prove(subject, told.seed + number, tuple(told.actions.split(",")), tally)
            for each in tally.wrong[before:]:
                sys.stderr.write(f"WRONG {each}\n")
            sys.stderr.write(f"{subject.module}: {sum(tally.applied.values())} applied so far\n")
    sys.stdout.write(report(tally))
    return 1 if tally.wrong else 0


def report(tally: Tally) -> str:
    """Return the counts as text."""
    lines = [f"modules with their tests: {len(tally.modules)}"]
    lines += [f"left out, {each}" for each in tally.skipped]
    for action in sorted({*tally.applied, *(action for action, _message in tally.refused)}):
        reasons: Counter[str] = Counter()
        for (kind, message), count in tally.refused.items():
            if kind == action:
                reasons[message] += count
        lines.append(f"{action}: applied {tally.applied[action]}, refused {sum(reasons.values())}")
        lines += [f"  {count} {message}" for message, count in reasons.most_common()]
    lines.append(f"wrong: {len(tally.wrong)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
