"""Keeps a book in a JSON file."""

import json
from datetime import date
from pathlib import Path

from ledger.book import Book
from ledger.entry import Entry
from ledger.money import Money


def save(book: Book, path: Path) -> None:
    """Write a book to a file."""
    accounts = {name: [_entry_to_json(entry) for entry in account.entries] for name, account in book.accounts.items()}
    path.write_text(json.dumps(accounts, indent=2), encoding="utf-8")


def load(path: Path) -> Book:
    """Read a book from a file; a file that is not there is an empty book."""
    book = Book()
    if not path.exists():
        return book
    accounts = json.loads(path.read_text(encoding="utf-8"))
    for name, entries in accounts.items():
        account = book.open_account(name)
        for entry in entries:
            account.post(_entry_from_json(entry))
    return book


def _entry_to_json(entry: Entry) -> dict[str, object]:
    return {
        "day": entry.day.isoformat(),
        "cents": entry.amount.cents,
        "text": entry.text,
        "tags": list(entry.tags),
    }


def _entry_from_json(data: dict[str, object]) -> Entry:
    return Entry(
        day=date.fromisoformat(str(data["day"])),
        amount=Money(int(str(data["cents"]))),
        text=str(data["text"]),
        tags=tuple(data["tags"]),
    )
