"""The table of ``spark-lsp stats``, in the terminal and on the page: its columns and rows. Pure."""

from typing import Final

from spark_lsp.completion.statistics import ALL, FeedbackStatistics, StatsRow

TEXT_COLUMNS: Final = 2
COLUMNS: Final = (
    "language", "model", "shown", "accepted", "of shown", "partly", "rejected", "characters", "kept 30 s", "kept 5 min",
    "p50", "p95", "p99",
)  # fmt: skip


def table_rows(statistics: FeedbackStatistics) -> tuple[StatsRow, ...]:
    """Return the rows of the table: those of the statistics, and below several of them their sum."""
    return (*statistics.rows, statistics.total) if len(statistics.rows) > 1 else statistics.rows


def cells(row: StatsRow) -> tuple[str, ...]:
    """Return what the table says of a row, in the order of ``COLUMNS``."""
    return (
        row.language or "unknown",
        row.model or ("" if row.language == ALL else "unknown"),
        *(str(count) for count in (row.shown, row.accepted)),
        f"{row.accepted / row.shown:.0%}" if row.shown else "",
        *(str(count) for count in (row.partly_accepted, row.rejected, row.accepted_characters)),
        *("" if share is None else f"{share:.0%}" for share in (row.kept_30s, row.kept_5min)),
        *(f"{latency_ms:.0f}" for latency_ms in (row.latency_p50_ms, row.latency_p95_ms, row.latency_p99_ms)),
    )
