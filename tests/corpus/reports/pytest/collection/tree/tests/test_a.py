import pytest


def test_ok():
    pass


def test_wrong():
    assert 1 + 1 == 3


@pytest.mark.parametrize("x", ["a - b", "c"])
def test_par(x):
    assert x == "c"


class TestThing:
    def test_in(self):
        raise ValueError("no")


@pytest.mark.skip
def test_skip():
    pass


@pytest.fixture
def bad():
    raise RuntimeError("fixture")


def test_fix(bad):
    pass


@pytest.mark.xfail(strict=True)
def test_strict():
    pass
