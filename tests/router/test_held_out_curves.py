"""Curves on fitted songs follow orders that were predicted without the prompt's genre."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.lattice import LatticeError
from eval.table import Table
from router.calibration import OutOfFold
from router.examples import make_examples
from router.findings import CurvePoint, MapPoint
from router.held_out_curves import draw_held_out
from router.validation import Validation
from tests.router.planted_router import JUDGE, NAMES, SECOND, plant_findings, plant_table

TABLE = plant_table(genres=10, prompts=1, seeds=2)
RIGHT = {0: "a=1", 1: "b=1"}


def chosen(right: bool) -> Validation:
    """A validation that picked the adapter that is right for every prompt, or the other, and predicted base as best."""
    examples = make_examples(TABLE, JUDGE)
    picks = [RIGHT[(p + (not right)) % 2] for p in range(len(examples.prompts))]
    points = tuple(
        MapPoint(n, g, "", 0, 0, c, 0) for n, g, c in zip(examples.prompts, examples.genres, picks, strict=True)
    )
    predicted = np.tile([0.1, 0.4, 0.5], (len(picks), 1))
    found = OutOfFold(NAMES, predicted, predicted, examples.genres, np.zeros(len(picks), dtype=np.intp))
    return Validation(replace(plant_findings(), map=points), found, True, np.zeros(3), np.zeros(3), {}, None, False)


def curve(table: Table, right: bool) -> dict[int, CurvePoint]:
    """The router's, by budget, for cascades that never stop early."""
    found = draw_held_out(table, make_examples(table, JUDGE), chosen(right))
    (mine,) = (curve for curve in found if curve.order == "router")
    return {point.budget: point for point in mine.points if point.stop_wer == 0.0}


def test_the_pick_comes_first_and_the_best_predicted_next() -> None:
    songs = TABLE.of_judge(SECOND).groupby(["genre", "composition"]).wer.mean().unstack()
    kinds = [RIGHT[p % 2] for p in range(len(songs))]
    of = dict(zip(dict.fromkeys(TABLE.songs.genre), kinds, strict=True))
    right = np.mean([songs.loc[genre, name] for genre, name in of.items()])
    good, bad = curve(TABLE, True), curve(TABLE, False)
    first = good[1].independent
    assert first is not None and first.value == pytest.approx(right)
    after_two = bad[2].independent
    assert after_two is not None and after_two.value == pytest.approx(songs["base"].mean())  # base beats the wrong pick


def test_the_default_comes_before_its_equals() -> None:
    """As a router tries them: base, though it stands first, is not the default of these prompts."""
    validation = chosen(False)
    level = replace(validation.out_of_fold, predicted=np.full((10, 3), 0.4), default=np.array([1, 2] * 5))
    found = draw_held_out(TABLE, make_examples(TABLE, JUDGE), replace(validation, out_of_fold=level))
    (mine,) = (curve for curve in found if curve.order == "router")
    second = next(point for point in mine.points if (point.stop_wer, point.budget) == (0.0, 2))
    songs = TABLE.of_judge(JUDGE).pivot(index=["prompt", "seed"], columns="composition", values="wer")
    assert second.selecting.value == pytest.approx(songs[["a=1", "b=1"]].min(axis=1).mean())


def test_a_control_that_sang_little_costs_no_prompt() -> None:
    table = plant_table(names=(*NAMES, "random=1"), genres=10, prompts=1, seeds=2)
    songs = table.songs
    few = replace(table, songs=songs[(songs.composition != "random=1") | (songs.seed == 0)])
    known = replace(table, songs=songs[songs.composition != "random=1"])
    examples = make_examples(known, JUDGE)
    assert draw_held_out(few, examples, chosen(True)) == draw_held_out(known, examples, chosen(True))


def test_without_a_second_judge_the_first_one_scores_alone() -> None:
    alone = replace(TABLE, songs=TABLE.songs[TABLE.songs.judge == JUDGE])
    assert curve(alone, True)[1].independent is None


def test_a_judge_who_heard_less_is_an_error() -> None:
    songs = TABLE.songs
    kept = songs[(songs.judge == JUDGE) | (songs.composition == "base")]
    with pytest.raises(LatticeError):
        draw_held_out(replace(TABLE, songs=kept), make_examples(TABLE, JUDGE), chosen(True))
