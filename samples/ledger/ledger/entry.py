"""One line of the ledger."""

from dataclasses import dataclass, field
from datetime import date

from ledger.money import Money


@dataclass(frozen=True)
class Entry:
    """Money that came to an account on a day, or left it."""

    day: date
    amount: Money
    text: str
    tags: tuple[str, ...] = field(default=())

    def is_income(self) -> bool:
        return self.amount.cents > 0

    def has_tag(self, tag: str) -> bool:
        return tag in self.tags

    def in_month(self, year: int, month: int) -> bool:
        return self.day.year == year and self.day.month == month


def sort_entries(entries: list[Entry]) -> list[Entry]:
    """Return the entries by day, those of one day by their text."""
    return sorted(entries, key=lambda entry: (entry.day, entry.text))
