"""Accounts."""

from dataclasses import dataclass, field

from ledger.money import parse, shown


@dataclass
class Account:
    """An account and what was entered."""

    owner: str
    entries: list[int] = field(default_factory=list)

    def enter(self, amount: str) -> None:
        """Enters an amount."""
        self.entries.append(parse(amount))

    def balance(self) -> int:
        """What is there, in cents."""
        return sum(self.entries)

    def largest(self) -> str:
        """The largest entry."""
        if not self.entries:
            return None
        return shown(max(self.entries))

    def statement(self) -> str:
        """All entries for people."""
        lines = [shown(entry) for entry in self.entries]
        return "\n".join([*lines, f"{self.owner}: {shown(self.balance())}"])
