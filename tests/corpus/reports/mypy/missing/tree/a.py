def tail(count: int) -> str:
    return "a long enough tail so that contexts are equal" * count
