"""An account: a name and the entries that belong to it."""

from ledger.entry import Entry, sort_entries
from ledger.money import Money, total


class OverdrawnError(Exception):
    """An entry that would take an account below its limit."""


class Account:
    """Entries under one name. ``limit`` is the lowest balance that the account may have."""

    def __init__(self, name: str, limit: Money | None = None) -> None:
        self.name = name
        self.limit = limit
        self.entries: list[Entry] = []

    def post(self, entry: Entry) -> None:
        """Add an entry.

        Raises:
            OverdrawnError: the balance would fall below the limit.
        """
        balance = self.balance() + entry.amount
        if self.limit is not None and balance < self.limit:
            raise OverdrawnError(f"{self.name} would be at {balance}")
        self.entries.append(entry)

    def balance(self) -> Money:
        """Return the sum of all entries."""
        return total([entry.amount for entry in self.entries])

    def month(self, year: int, month: int) -> list[Entry]:
        """Return the entries of one month, oldest first."""
        return sort_entries([entry for entry in self.entries if entry.in_month(year, month)])

    def tagged(self, tag: str) -> list[Entry]:
        """Return the entries with a tag, oldest first."""
        ...
