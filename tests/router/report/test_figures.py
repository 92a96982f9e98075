"""Pictures for a README: each is a picture, draws what it is told, and is the same for the same findings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from router.errors import RouterError
from router.findings import Findings
from router.report.figures import draw_calibration, draw_curves, draw_map, draw_risk, draw_scores
from tests.router.report.planted import make_bare, make_findings, make_long

DRAWERS: tuple[Callable[..., bytes], ...] = (draw_scores, draw_curves, draw_risk, draw_calibration, draw_map)


@pytest.fixture(scope="module")
def found() -> Findings:
    return make_findings(prompts=2)


@pytest.mark.parametrize("draw", DRAWERS, ids=lambda draw: draw.__name__)
def test_each_is_a_picture_in_both_forms_and_always_the_same(draw: Callable[..., bytes], found: Findings) -> None:
    png, svg = draw(found), draw(found, form="svg")
    assert png.startswith(b"\x89PNG") and b"<svg" in svg
    assert int.from_bytes(png[16:20], "big") > 400
    assert svg == draw(found, form="svg")


@pytest.mark.parametrize("draw", DRAWERS[1:], ids=lambda draw: draw.__name__)
def test_what_is_not_there_is_refused(draw: Callable[..., bytes]) -> None:
    with pytest.raises(RouterError, match="these findings hold no"):
        draw(make_bare())


def test_cascades_of_another_threshold_are_another_picture(found: Findings) -> None:
    assert draw_curves(found, 0.3) != draw_curves(found) == draw_curves(found, 0.2)
    with pytest.raises(RouterError, match=r"no cascade stops at 0\.25: choose one of 0\.1, 0\.2, 0\.3"):
        draw_curves(found, 0.25)


def test_a_map_has_a_mark_for_every_prompt(found: Findings) -> None:
    svg = draw_map(found, form="svg").decode()
    groups = re.findall(r'<g id="PathCollection_\d+">(.*?)</g>\s*</g>', svg, re.DOTALL)
    assert sum(group.count("<use ") for group in groups) >= len(found.map)


def test_names_are_no_formulas_and_long_ones_are_cut() -> None:
    assert draw_scores(make_long()).startswith(b"\x89PNG")
    found = make_findings(prompts=1)
    odd = replace(found, map=tuple(replace(point, name="$\\frac{") for point in found.map))
    assert draw_map(odd).startswith(b"\x89PNG")
