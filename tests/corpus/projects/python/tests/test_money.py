import pytest

from ledger.money import parse, shown


@pytest.mark.parametrize(("text", "cents"), [("1.50", 150), ("2", 200), ("0.5", 50)])
def test_amounts_are_read(text: str, cents: int) -> None:
    assert parse(text) == cents


def test_debts_are_read() -> None:
    assert parse("-1.50") == -150


def test_debts_are_shown() -> None:
    assert shown(-150) == "-1.50"
