from ledger.account import Account


def test_entries_add_up() -> None:
    account = Account("ann")
    account.enter("1.50")
    account.enter("2")
    assert account.balance() == 350


def test_the_largest_is_found() -> None:
    assert Account("ann", [100, 300, 200]).largest() == "3.00"


def test_a_statement_ends_with_the_balance() -> None:
    assert Account("ann", [100, 50]).statement() == "1.00\n0.50\nann: 1.50"
