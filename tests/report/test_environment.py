"""Filters that pages share."""

from __future__ import annotations

from radedit.harness.statistics.estimate import Estimate
from radedit.report.environment import in_unit


def test_a_check_has_no_more_digits_than_anyone_reads() -> None:
    assert in_unit(Estimate(0.0389, 0.0123, 0.0912, 108), "grey levels") == "0.04 (0.01 to 0.09) grey levels"
    assert in_unit(Estimate(31.456, None, None, 1), "dB") == "31.5 dB"
    assert in_unit(Estimate(0.0389, 0.0123, 0.0912, 108), "share") == "3.9 % (1.2 to 9.1)"
