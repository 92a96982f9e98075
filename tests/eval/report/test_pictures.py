"""Drawings put numbers where they belong, hold everything, and escape their labels."""

from __future__ import annotations

import re

import pytest

from eval.report.pictures import Scale, draw_axis, draw_stack, draw_whisker, scale_of
from eval.resampling import Estimate


def numbers(drawn: str, pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, drawn)]


@pytest.mark.parametrize(
    "values", [[0.2, 0.61], [-0.31, 0.02], [3.4, 0.1], [0.0], [], [float("nan"), 0.5], [0.013], [70.0]]
)
def test_a_scale_holds_its_values_and_zero_and_has_round_ends(values: list[float]) -> None:
    scale = scale_of(values)
    finite = [v for v in values if v == v]
    assert scale.low <= min([0.0, *finite]) and scale.high >= max([0.0, *finite])
    assert 2 <= len(scale.ticks) <= 7
    assert scale.ticks[0] == pytest.approx(scale.low) and scale.ticks[-1] == pytest.approx(scale.high)
    places = [scale.place(v) for v in finite]
    assert all(0 < place < 100 for place in places)


def test_places_are_linear_and_held_at_the_ends() -> None:
    scale = Scale(-1, 1)
    assert scale.place(0) == 50
    assert scale.place(0.5) - scale.place(0) == pytest.approx(scale.place(0) - scale.place(-0.5))
    assert scale.place(7) == scale.place(1) and scale.place(-7) == scale.place(-1)


def test_a_whisker_reaches_from_low_to_high_with_its_dot_between() -> None:
    scale = Scale(0, 1)
    drawn = draw_whisker(scale, Estimate(0.5, 0.25, 0.75), 'a "label" <b>', 0.1)
    (a, b) = re.findall(r'class="whisker" x1="([\d.]+)%" x2="([\d.]+)%"', drawn)[0]
    (dot,) = numbers(drawn, r'cx="([\d.]+)%"')
    assert float(a) < dot < float(b) and dot == 50
    assert numbers(drawn, r'class="reference" x1="([\d.]+)%"') == [scale.place(0.1)]
    assert "<b>" not in drawn and "&lt;b&gt;" in drawn
    bare = draw_whisker(scale, Estimate(0.5, None, None), "alone")
    assert "whisker" not in bare and "reference" not in bare and "circle" in bare


def test_axis_and_stack() -> None:
    assert re.findall(r">([−\d]+)</text>", draw_axis(Scale(-0.2, 0.2))) == ["−20", "−10", "0", "10", "20"]
    drawn = draw_stack([("good", 0.5), ("loop", 0.0), ("silent", 0.25)], "kinds")
    assert numbers(drawn, r' x="([\d.]+)%"') == [0, 50] and numbers(drawn, r'width="([\d.]+)%"') == [50, 25]
