"""The page of ``spark-lsp stats --html``: a table, and plots as plain SVG, so that the file loads and runs nothing."""

import html
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import pygal
from pygal.style import CleanStyle

from spark_lsp.cli.stats_table import COLUMNS, TEXT_COLUMNS, cells, table_rows
from spark_lsp.completion.statistics import DAY_S, FeedbackStatistics, StatsRow

# The library finds its chart plugins by a hook of a kind that Python no longer knows; we have none, and importing
# anything else would warn of it.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

LATENCY_BINS = 30
LATENCY_DRAWN: Final = 99.0
"""Percent of the latencies that are drawn: one answer of a minute, after a cold start, would flatten all others."""
WIDTH, ROW_HEIGHT, MIN_HEIGHT = 900, 34, 220
MAX_DAY_LABELS: Final = 12
MAX_DAYS: Final = 120
ACCEPTED, PARTLY, REJECTED, NEITHER = "#2a6fb0", "#8cbbe3", "#d98324", "#c9c9c9"

_NOT_DRAWN = re.compile(r"<!--.*?-->|<script.*?</script>", re.DOTALL)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Spark LSP: suggestions on this machine</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 15px sans-serif; max-width: 76em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }}
figure {{ margin: 2em 0; max-width: 60em; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 13px; }}
th, td {{ padding: .25em .6em; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }}
th.text, td.text {{ text-align: left; }}
tr.total td {{ font-weight: bold; border-bottom: none; }}
</style></head>
<body><h1>Suggestions on this machine</h1>
<p>From <code>{path}</code>, which holds no code and is never sent.</p>
{content}
</body></html>
"""


def page(statistics: FeedbackStatistics, path: str) -> str:
    """Return the whole page."""
    if not statistics.rows:
        return _PAGE.format(path=html.escape(path), content="<p>No suggestion has been shown yet.</p>")
    charts = (_fates(statistics), _kept(statistics), _latencies(statistics), _days(statistics))
    content = [_table(statistics), *(f"<figure>{_svg(chart)}</figure>" for chart in charts)]
    return _PAGE.format(path=html.escape(path), content="\n".join(content))


def _table(statistics: FeedbackStatistics) -> str:
    def line(values: Sequence[str], tag: str, kind: str = "") -> str:
        classes = [' class="text"' if number < TEXT_COLUMNS else "" for number in range(len(values))]
        cells = (
            f"<{tag}{attribute}>{html.escape(value)}</{tag}>" for attribute, value in zip(classes, values, strict=True)
        )
        return f"<tr{kind}>{''.join(cells)}</tr>"

    rows = table_rows(statistics)
    kinds = [' class="total"' if row is statistics.total else "" for row in rows]
    body = "".join(line(cells(row), "td", kind) for row, kind in zip(rows, kinds, strict=True))
    return f'<div class="wide"><table>{line(COLUMNS, "th")}{body}</table></div>'


def _chart(kind: Any, title: str, colors: tuple[str, ...], **options: Any) -> Any:
    # js=[]: by default the library loads its tooltips from a server.
    options = {"height": 360, "legend_at_bottom": True, "truncate_label": -1} | options
    style = CleanStyle(
        colors=colors, opacity="1", background="#ffffff", plot_background="#ffffff", font_family="sans-serif"
    )
    return kind(title=title, js=[], style=style, width=WIDTH, no_data_text="nothing yet", **options)


def _bars(kind: Any, title: str, rows: Sequence[StatsRow], colors: tuple[str, ...], **options: Any) -> Any:
    """Return bars that are, a group for each row, the first on top, so that names of any length are read whole."""
    height = max(MIN_HEIGHT, 110 + ROW_HEIGHT * len(rows))
    chart = _chart(kind, title, colors, height=height, **options)
    chart.x_labels = [f"{cells(row)[0]} / {cells(row)[1]}" for row in rows]
    return chart


def _svg(chart: Any) -> str:
    """Return a chart without the library's comments, which name web pages, and without its tooltips."""
    return _NOT_DRAWN.sub("", chart.render(is_unicode=True, disable_xml_declaration=True))


def _fates(statistics: FeedbackStatistics) -> Any:
    rows = statistics.rows[::-1]
    colors = (ACCEPTED, PARTLY, REJECTED, NEITHER)
    chart = _bars(pygal.HorizontalStackedBar, "What became of them", rows, colors)
    chart.add("accepted", [row.accepted for row in rows])
    chart.add("partly accepted", [row.partly_accepted for row in rows])
    chart.add("rejected", [row.rejected for row in rows])
    chart.add("neither", [max(0, row.suggestions - row.accepted - row.partly_accepted - row.rejected) for row in rows])
    return chart


def _kept(statistics: FeedbackStatistics) -> Any:
    rows = statistics.rows[::-1]
    title = "Accepted characters that are kept, percent"
    chart = _bars(pygal.HorizontalBar, title, rows, (ACCEPTED, PARTLY), range=(0, 100))
    chart.add("after 30 s", [None if row.kept_30s is None else 100 * row.kept_30s for row in rows])
    chart.add("after 5 min", [None if row.kept_5min is None else 100 * row.kept_5min for row in rows])
    return chart


def _latencies(statistics: FeedbackStatistics) -> Any:
    drawn: list[float] = []
    if statistics.latencies_ms:
        most = np.percentile(statistics.latencies_ms, LATENCY_DRAWN)
        drawn = [latency_ms for latency_ms in statistics.latencies_ms if latency_ms <= most]
    left_out = len(statistics.latencies_ms) - len(drawn)
    title = "Milliseconds from the request to the answer"
    if left_out:
        title += f" (without the slowest {left_out} of {len(statistics.latencies_ms)})"
    chart = _chart(pygal.Histogram, title, (ACCEPTED,), show_legend=False)
    if drawn:
        counts, edges = np.histogram(drawn, bins=LATENCY_BINS)
        pairs = zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        chart.add("suggestions", [(count, start, end) for count, start, end in pairs])
    return chart


def _days(statistics: FeedbackStatistics) -> Any:
    counts = {day: (accepted, rejected) for day, accepted, rejected in statistics.days}
    last = max(counts)
    days = range(max(min(counts), last - MAX_DAYS + 1), last + 1)  # those without a suggestion too
    every = -(-len(days) // MAX_DAY_LABELS)
    chart = _chart(pygal.Line, "Day by day", (ACCEPTED, REJECTED), include_x_axis=True, show_minor_x_labels=False)
    chart.x_labels = [str(_date(day)) for day in days]
    chart.x_labels_major = chart.x_labels[::every]
    chart.add("accepted", [counts.get(day, (0, 0))[0] for day in days])
    chart.add("rejected", [counts.get(day, (0, 0))[1] for day in days])
    return chart


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * DAY_S, UTC).date()
