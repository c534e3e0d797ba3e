"""The page of ``spark-lsp stats --html``: plots as plain SVG, so that the file loads nothing and runs nothing."""

import html
import re
import sys
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pygal
from pygal.style import CleanStyle

from spark_lsp.completion.tally import DAY_S, Tally

# The library finds its chart plugins by a hook of a kind that Python no longer knows; we have none, and importing
# anything else would warn of it.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

LATENCY_BINS = 30
_NOT_DRAWN = re.compile(r"<!--.*?-->|<script.*?</script>", re.DOTALL)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Spark LSP: suggestions on this machine</title>
<style>body {{ font: 15px sans-serif; max-width: 60em; margin: 2em auto; }} figure {{ margin: 2em 0; }}</style></head>
<body><h1>Suggestions on this machine</h1>
<p>From <code>{path}</code>, which holds no code and is never sent.</p>
{figures}
</body></html>
"""


def page(tally: Tally, path: str) -> str:
    """Return the whole page."""
    charts = (_fates(tally), _kept(tally), _latencies(tally), _days(tally)) if tally.rows else ()
    figures = "\n".join(f"<figure>{_svg(chart)}</figure>" for chart in charts)
    return _PAGE.format(path=html.escape(path), figures=figures or "<p>No suggestion has been shown yet.</p>")


def _chart(kind: Any, title: str, **options: Any) -> Any:
    # js=[]: by default the library loads its tooltips from a server.
    return kind(title=title, js=[], style=CleanStyle, width=900, height=360, no_data_text="nothing yet", **options)


def _svg(chart: Any) -> str:
    """Return a chart without the library's comments, which name web pages, and without what its tooltips are told."""
    return _NOT_DRAWN.sub("", chart.render(is_unicode=True, disable_xml_declaration=True))


def _names(tally: Tally) -> list[str]:
    return [f"{row.language or '?'} / {row.model or '?'}" for row in tally.rows]


def _fates(tally: Tally) -> Any:
    chart = _chart(pygal.StackedBar, "What became of them")
    chart.x_labels = _names(tally)
    chart.add("accepted", [row.accepted for row in tally.rows])
    chart.add("partly accepted", [row.partly_accepted for row in tally.rows])
    chart.add("rejected", [row.rejected for row in tally.rows])
    return chart


def _kept(tally: Tally) -> Any:
    chart = _chart(pygal.Bar, "Accepted characters that are kept, percent", range=(0, 100))
    chart.x_labels = _names(tally)
    chart.add("after 30 s", [None if row.kept_30s is None else 100 * row.kept_30s for row in tally.rows])
    chart.add("after 5 min", [None if row.kept_5min is None else 100 * row.kept_5min for row in tally.rows])
    return chart


def _latencies(tally: Tally) -> Any:
    chart = _chart(pygal.Histogram, "Time from the request to the answer, milliseconds", show_legend=False)
    if tally.latencies_ms:
        counts, edges = np.histogram(tally.latencies_ms, bins=LATENCY_BINS)
        pairs = zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        chart.add("suggestions", [(count, start, end) for count, start, end in pairs])
    return chart


def _days(tally: Tally) -> Any:
    chart = _chart(pygal.Line, "Day by day", x_label_rotation=30)
    chart.x_labels = [str(_date(day)) for day, _, _ in tally.days]
    chart.add("accepted", [accepted for _, accepted, _ in tally.days])
    chart.add("rejected", [rejected for _, _, rejected in tally.days])
    return chart


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * DAY_S, UTC).date()
