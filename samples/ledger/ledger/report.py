"""Monthly reports as plain text."""

from ledger.book import Book
from ledger.entry import Entry
from ledger.money import Money, format_money

WIDTH = 40


def line(text: str, amount: Money) -> str:
    """Return one line: the text to the left, the amount to the right."""
    return f"{text:<{WIDTH - 12}}{format_money(amount):>12}"


def by_tag(entries: list[Entry]) -> dict[str, Money]:
    """Add up amounts per tag; an entry with several tags counts in each."""
    sums: dict[str, Money] = {}
    for entry in entries:
        for tag in entry.tags:
            sums[tag] = sums.get(tag, Money()) + entry.amount
    return sums


def monthly(book: Book, year: int, month: int) -> str:
    """Return the report of one month for all accounts."""
    lines = [f"{year}-{month:02d}", "-" * WIDTH]
    for account in book.accounts.values():
        entries = account.month(year, month)
        if not entries:
            continue
        lines.append(account.name)
        for entry in entries:
            lines.append(line(f"  {entry.day} {entry.text}", entry.amount))
        lines.append(line("  balance", account.balance()))
    lines.append(line("worth", book.worth()))
    return "\n".join(lines)
