"""Amounts of money."""

import re


def parse(text: str) -> int:
    """Cents of a text like ``12.34``."""
    whole, _, part = text.strip().partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def shown(cents: int) -> str:
    """A text like ``12.34``."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}"
