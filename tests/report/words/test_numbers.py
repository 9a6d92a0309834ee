"""Numbers as a dataset sees them."""

import pytest

from radedit.report.words.numbers import SPACE, in_points


@pytest.mark.parametrize(
    "difference, words",
    [
        (0.002, "less than a point"),
        (-0.0053, "0.5 points"),
        (0.0104, "1 point"),
        (0.013, "1.3 points"),
        (0.016, "2 points"),
        (-0.241, "24 points"),
    ],
)
def test_points_are_rounded_where_that_says_the_same(difference: float, words: str) -> None:
    assert in_points(difference).replace(SPACE, " ") == words
