from chart import bar, chart


def test_frost_points_down() -> None:
    assert bar(-35) == "---"


def test_each_value_has_a_line() -> None:
    assert chart([10, 20]) == "#\n##"
