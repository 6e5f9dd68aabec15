"""Draws temperatures as bars."""

import sys


def bar(tenths: int) -> str:
    """One bar, a sign for each degree."""
    return ("#" if tenths >= 0 else "-") * (abs(tenths) // 10)


def chart(values: list[int]) -> str:
    """A bar for each value."""
    return "\n".join(bar(value) for value in values)
