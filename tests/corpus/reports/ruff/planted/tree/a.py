def planted() -> str:
    return "planted" + unknown_name


import os
import sys


def size(name: str) -> int:
    söme = "äö😀"; wrong: int = "text"
    if name == None:
        return söme
    return len(name) + missing


def tail(count: int) -> str:
    return "a long enough tail so that contexts are equal" * count
