"""Command line: add an entry to a book or print a month.

python3 -m ledger book.json add savings 12.50 "birthday money"
python3 -m ledger book.json report 2026 11
"""

import argparse
from datetime import date
from pathlib import Path

from ledger.entry import Entry
from ledger.money import parse_money
from ledger.report import monthly
from ledger.store import load, save


def main() -> None:
    parser = argparse.ArgumentParser(prog="ledger")
    parser.add_argument("book", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add an entry")
    add.add_argument("account")
    add.add_argument("amount")
    add.add_argument("text")
    report = commands.add_parser("report", help="print a month")
    report.add_argument("year", type=int)
    report.add_argument("month", type=int)
    arguments = parser.parse_args()
    book = load(arguments.book)
    if arguments.command == "add":
        entry = Entry(date.today(), parse_money(arguments.amount), arguments.text)
        book.open_account(arguments.account).post(entry)
        save(book, arguments.book)
    else:
        print(monthly(book, arguments.year, arguments.month))


if __name__ == "__main__":
    main()
