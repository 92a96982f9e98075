"""Figures are rounded once, keep their sign, and never show a minus zero or a probability of nought."""

from __future__ import annotations

import math

import pytest

from eval.report import formats
from eval.resampling import Estimate


@pytest.mark.parametrize(
    ("p", "said"),
    [(0.0, "< .001"), (0.0004999, "< .001"), (0.0005, ".001"), (0.0321, ".032"), (0.9996, "1"), (1.0, "1")],
)
def test_p(p: float, said: str) -> None:
    assert formats.say_p(p) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.1234, "+12.3"), (-0.1234, "−12.3"), (-0.0001, "0.0"), (0.0, "0.0"), (None, "–"), (math.nan, "–")],
)
def test_points(value: float | None, said: str) -> None:
    assert formats.say_points(value) == said


def test_ranges_lists_counts_and_days() -> None:
    assert formats.say_range(Estimate(0.5, 0.4, 1.25)) == "40.0 to 125.0"
    assert formats.say_range(Estimate(-0.1, -0.2, 0.0), signed=True) == "−20.0 to 0.0"
    assert formats.say_range(Estimate(0.5, None, None)) == ""
    assert formats.say_list(["a"]) == "a" and formats.say_list(["a", "b", "c"]) == "a, b and c"
    assert formats.say_count(1, "song") == "1 song" and formats.say_count(1200, "song") == "1,200 songs"
    assert formats.say_day("2026-03-01T12:00:00+00:00") == "1 March 2026"
    assert formats.say_day(None) == formats.say_day({"made": 1}) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [("base", "base"), ("lyrics=1", "lyrics"), ("lyrics=0.5", "lyrics=0.5"), ("=1", "=1"), ("1", "1"),
     ("lyrics=0.5,other=1", "lyrics=0.5,other=1")],
)  # fmt: skip
def test_an_adapter_alone_goes_by_its_name(name: str, said: str) -> None:
    assert formats.say_composition(name) == said


def test_there_is_no_minus_nought() -> None:
    assert formats.say_number(-0.001) == "0.00" and formats.say_number(-0.006) == "−0.01"
    assert formats.say_number(None) == "–" and formats.say_percent(0.4651) == "46.5"


def test_code_is_set_and_all_else_is_escaped() -> None:
    assert formats.set_code("call `a <b>` & go") == "call <code>a &lt;b&gt;</code> &amp; go"
