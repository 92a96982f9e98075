"""What stands where on the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.findings import GenreRow
from router.report.palette import plain_kind
from router.report.parts import (
    MOST_WAYS,
    ORDERS,
    find_best_single,
    find_lowest,
    has_independent,
    kind_of_order,
    kinds_of_map,
    list_parts,
    list_points,
    list_stops,
    sort_scores,
)
from tests.router.report.planted import INDEPENDENT, SELECTING, make_bare, make_curves, make_findings, make_judged


def test_tests_stand_before_fits_and_the_independent_judge_before_the_other() -> None:
    fit, test = make_findings(kind="fit"), make_findings()
    parts = list_parts([fit, test, replace(fit, policy="ridge again")])
    assert [part.name for part in parts] == ["test1", "fit1", "fit2"]
    assert parts[2].title.endswith("(2)") and parts[2].findings.policy == "ridge again"
    assert [judged.judge for judged in parts[0].judged] == [INDEPENDENT, SELECTING]
    assert list_parts([make_bare()])[0].main is not None
    assert list_parts([replace(make_bare(), judges=())])[0].main is None


def test_the_router_and_its_opponent_stand_first_and_no_score_is_lost() -> None:
    judged = make_judged(INDEPENDENT, True)
    ordered = sort_scores(judged)
    assert [score.name for score in ordered[:2]] == ["router", "best single"]
    assert sorted(score.name for score in ordered) == sorted(score.name for score in judged.scores)
    kinds = [score.kind for score in ordered[2:]]
    assert list(dict.fromkeys(kinds)) == ["cascade", "policy", "oracle", "single", "control"]


def test_the_best_single_is_found_even_where_it_has_no_row() -> None:
    judged = make_judged(INDEPENDENT, True)
    assert find_best_single(judged) == pytest.approx(0.44)
    scores = tuple(score for score in judged.scores if score.name != "best single")
    assert find_best_single(replace(judged, scores=scores)) == pytest.approx(0.44)
    assert find_best_single(replace(judged, scores=())) is None
    assert find_best_single(None) is None


def test_the_lowest_of_a_row_neither_knows_the_answer_nor_sings_twice() -> None:
    ways = [("router", "router"), ("a", "single"), ("b", "single"), ("oracle", "oracle"), ("three", "cascade")]
    row = {"router": 0.5, "a": 0.3, "b": 0.3, "oracle": 0.1, "three": 0.05}
    assert find_lowest(row, ways) == {"a", "b"}
    assert find_lowest({"a": 0.3}, ways) == set()


def test_a_heat_map_of_too_many_ways_drops_policies_and_controls_only() -> None:
    found = make_findings()
    names = [score.name for score in found.judges[0].scores]
    assert len(names) > MOST_WAYS
    part = list_parts([replace(found, genre_rows=(GenreRow("folk", 1, dict.fromkeys(names, 0.5)),))])[0]
    kinds = {kind for name, kind in part.ways if name != "best single"}
    assert kinds == {"router", "cascade", "oracle", "single"}
    assert ("best single", "policy") in part.ways
    few = list_parts([found])[0].ways
    assert ("random=1", "control") in few


def test_points_are_of_one_threshold_by_budget_and_of_the_judge_asked_for() -> None:
    curves = make_curves()
    assert list_stops(curves) == [0.2, 0.1, 0.3] or list_stops(curves) == [0.2, 0.3, 0.1]
    pairs = list_points(replace(curves[0], points=curves[0].points[::-1]), 0.3, True)
    assert [point.budget for point, _ in pairs] == [1, 2, 3, 4, 5]
    assert all(rate is point.independent and point.stop_wer == 0.3 for point, rate in pairs)
    alone = make_curves(independent=False)
    assert has_independent(curves) and not has_independent(alone)
    assert list_points(alone[0], 0.2, True) == []
    assert all(rate is point.selecting for point, rate in list_points(alone[0], 0.2, False))


def test_orders_and_compositions_have_kinds_of_their_own() -> None:
    curves = (*make_curves(), replace(make_curves()[0], order="by name"))
    kinds = [kind_of_order(curve.order, curves) for curve in curves]
    assert len({(kind.name, kind.shape) for kind in kinds}) == len(ORDERS) + 1 == len(curves)
    drawn = kinds_of_map(make_findings())
    assert drawn["base"] == plain_kind()
    assert len({(kind.name, kind.shape) for kind in drawn.values()}) == len(drawn) > 3
