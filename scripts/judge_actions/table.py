"""Tabulate outcomes by action and model: offered and right, offered and wrong, refused and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the outcomes as Markdown, then why edits were refused."""
    kept = list(rows)
    lines = [
        "| action | model | tasks | right | wrong | refused | right of the offered |",
        "|---|---|---|---|---|---|---|",
    ]
    for action, model in sorted({(row["action"], row["model"]) for row in kept}):
        own = [row for row in kept if (row["action"], row["model"]) == (action, model)]
        outcomes = Counter(row["outcome"] for row in own)
        offered = outcomes["right"] + outcomes["wrong"]
        share = f"{outcomes['right'] / offered:.0%}" if offered else "–"
        counts = " | ".join(str(outcomes[name]) for name in ("right", "wrong", "refused"))
        lines.append(f"| `{action}` | {model} | {len(own)} | {counts} | {share} |")
    lines.append("")
    refused = Counter(
        (row["action"], row["model"], row["reason"], row["message"]) for row in kept if row["outcome"] == "refused"
    )
    lines += [f"{count} × {action} {model} {reason}: {text}" for (action, model, reason, text), count in sorted(
        refused.items(), key=lambda row: (row[0][:2], -row[1]))]  # fmt: skip
    return "\n".join(lines) + "\n"
