"""A book of accounts, and money that moves between them."""

from datetime import date

from ledger.account import Account
from ledger.entry import Entry
from ledger.money import Money


class Book:
    """All accounts of a household by name."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def open_account(self, name: str, limit: Money | None = None) -> Account:
        """Return the account of that name, a new one when there is none."""
        if name not in self.accounts:
            self.accounts[name] = Account(name, limit)
        return self.accounts[name]

    def transfer(self, source: str, target: str, amount: Money, day: date, text: str = "transfer") -> None:
        """Move money from one account to another."""
        self.open_account(source).post(Entry(day, -amount, text))
        self.open_account(target).post(Entry(day, amount, text))

    def worth(self) -> Money:
        """Return the balance of all accounts together."""
        result = Money()
        for account in self.accounts.values():
            result = result + account.balance()
        return result
