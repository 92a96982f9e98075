"""Kinds can be told apart on both papers, and without colour."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import pytest

from eval.report.colours import contrast
from router.report.palette import COLOURS, SHAPES, pick_kind, plain_kind, write_colours

PANELS = {"light": "#ffffff", "dark": "#211f1c"}


@pytest.mark.parametrize("kind", [plain_kind(), *map(pick_kind, range(len(COLOURS)))], ids=lambda kind: kind.name)
def test_marks_stand_out_from_the_panel(kind: object) -> None:
    assert all(contrast(getattr(kind, scheme), panel) >= 3 for scheme, panel in PANELS.items())


def test_forty_two_kinds_differ_and_neighbours_differ_in_colour_and_shape() -> None:
    kinds = [pick_kind(place) for place in range(len(COLOURS) * len(SHAPES))]
    assert all((a.name, a.shape) != (b.name, b.shape) for a, b in combinations(kinds, 2))
    assert all(a.name != b.name and a.shape != b.shape for a, b in pairwise(kinds))
    assert pick_kind(42) == pick_kind(0)


def test_the_style_sheet_has_every_colour_in_both_schemes() -> None:
    written = re.findall(r"\.(kind-\w+) \{ color: (#\w{6}); \}", write_colours())
    kinds = [plain_kind(), *map(pick_kind, range(len(COLOURS)))]
    assert written == [(k.name, k.light) for k in kinds] + [(k.name, k.dark) for k in kinds]
