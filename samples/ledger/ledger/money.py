"""Amounts of money in whole cents."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Money:
    """An amount in cents; negative amounts are debts."""

    cents: int = 0

    def __neg__(self) -> "Money":
        return Money(-self.cents)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.cents + other.cents)

    def __radd__(self, other: "Money") -> "Money":
        """Add from the right."""
        ...

    def __str__(self) -> str:
        return format_money(self)


def parse_money(text: str) -> Money:
    """Read an amount such as ``12.50`` or ``-3``.

    Raises:
        ValueError: the text is not an amount.
    """
    sign = -1 if text.strip().startswith("-") else 1
    whole, _, fraction = text.strip().lstrip("+-").partition(".")
    if not whole.isdigit() or len(fraction) > 2:
        raise ValueError(f"not an amount: {text!r}")
    return Money(sign * (int(whole) * 100 + int(fraction.ljust(2, "0"))))


def format_money(amount: Money) -> str:
    """Write an amount with two digits after the point."""
    sign = "-" if amount.cents < 0 else ""
    whole, fraction = divmod(abs(amount.cents), 100)
    return f"{sign}{whole}.{fraction:02d}"


def total(amounts: list[Money]) -> Money:
    """Add amounts up."""
    result = Money()
    for amount in amounts:
        result = result + amount
    return result
