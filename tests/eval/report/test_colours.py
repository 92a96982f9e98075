"""The ramp darkens at every step, and what stands on it can be read."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from eval.report.colours import RAMP, contrast, heat_class, luminance, ramp_steps


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the usual example of just too little


def test_every_step_is_darker_than_the_one_before_and_its_ink_is_read() -> None:
    lights = [luminance(fill) for fill in RAMP]
    assert all(contrast(a, b) > 1.1 for a, b in pairwise(RAMP))
    assert lights == sorted(lights, reverse=True)
    assert all(contrast(step.fill, step.ink) >= 4.5 for step in ramp_steps())


@pytest.mark.parametrize(
    ("rate", "name"),
    [(0.0, "heat-0"), (0.0999, "heat-0"), (0.1, "heat-1"), (0.3, "heat-3"), (0.7, "heat-7"), (1.0, "heat-10"),
     (9.0, "heat-10"), (math.nan, "heat-none")],
)  # fmt: skip
def test_a_rate_falls_into_its_step(rate: float, name: str) -> None:
    assert heat_class(rate) == name
