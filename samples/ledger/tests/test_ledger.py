import tempfile
import unittest
from datetime import date
from pathlib import Path

from ledger.account import OverdrawnError
from ledger.book import Book
from ledger.entry import Entry
from ledger.money import Money, format_money, parse_money
from ledger.report import by_tag, monthly
from ledger.store import load, save

DAY = date(2026, 11, 22)


class MoneyTest(unittest.TestCase):
    def test_reads_what_it_writes(self) -> None:
        for text in ("0.00", "12.50", "-3.07", "1000.00"):
            self.assertEqual(format_money(parse_money(text)), text)

    def test_refuses_what_is_no_amount(self) -> None:
        for text in ("", "twelve", "1.234"):
            self.assertRaises(ValueError, parse_money, text)


class BookTest(unittest.TestCase):
    def setUp(self) -> None:
        self.book = Book()
        self.book.open_account("wallet", limit=Money(0)).post(Entry(DAY, Money(5000), "wages", ("work",)))

    def test_a_transfer_keeps_the_worth(self) -> None:
        self.book.transfer("wallet", "savings", Money(2000), DAY)
        self.assertEqual(self.book.worth(), Money(5000))
        self.assertEqual(self.book.accounts["savings"].balance(), Money(2000))

    def test_a_limit_holds(self) -> None:
        self.assertRaises(OverdrawnError, self.book.transfer, "wallet", "savings", Money(6000), DAY)

    def test_sums_by_tag(self) -> None:
        entries = self.book.accounts["wallet"].month(2026, 11)
        self.assertEqual(by_tag(entries), {"work": Money(5000)})

    def test_a_report_shows_the_month(self) -> None:
        self.assertIn("wages", monthly(self.book, 2026, 11))
        self.assertNotIn("wages", monthly(self.book, 2026, 10))

    def test_a_book_survives_its_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "book.json"
            save(self.book, path)
            self.assertEqual(load(path).worth(), Money(5000))


if __name__ == "__main__":
    unittest.main()
