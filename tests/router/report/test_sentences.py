"""Sentences claim what the figures show, and nothing where they show nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.resampling import Estimate
from router.findings import Calibration
from router.report.parts import list_parts
from router.report.sentences import (
    list_blends,
    say_calibration,
    say_controls,
    say_gain,
    say_headline,
    say_headroom,
    say_permuted,
    say_risk,
    say_share,
    say_switching,
)
from tests.router.report.planted import (
    INDEPENDENT,
    SELECTING,
    make_bare,
    make_curves,
    make_estimate,
    make_findings,
    make_judged,
)


def test_the_headline_is_the_test_by_the_independent_judge() -> None:
    said = say_headline(list_parts([make_findings(kind="fit"), make_findings(prompts=1)])[0])
    assert said.startswith("On 30 prompts it never saw, heard by tiny.en")
    assert "gets 38.5 %" in said and "composition 44.0 %: a gain of +5.5 points (95 % interval +2.5 to +8.5)" in said
    assert "50 % (23 to 77) of what could be gained by knowing" in said
    assert "gets 24.0 % after 2.1 songs" in said


def test_noise_has_no_gain() -> None:
    said = say_headline(list_parts([make_findings(False, "fit")])[0])
    assert "no gain is shown, +0.4 points" in said and "a gain of" not in said
    assert "genre was left out" in said


def test_findings_without_scores_still_have_a_headline() -> None:
    found = make_findings()
    without = replace(found, judges=())
    assert say_headline(list_parts([without])[0]).endswith("Choosing for every prompt pays.")
    singles = tuple(s for s in found.judges[1].scores if s.kind == "single")
    alone = replace(found, judges=(replace(found.judges[1], scores=singles),))
    assert "the best single composition gets 44.0 %" in say_headline(list_parts([alone])[0])
    assert "too few prompts for an interval" in say_headline(list_parts([make_bare()])[0])


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (Estimate(0.03, 0.01, 0.05), "a gain of +3.0 points (95 % interval +1.0 to +5.0)"),
        (Estimate(-0.03, -0.05, -0.01), "a loss of −3.0 points (95 % interval −5.0 to −1.0)"),
        (Estimate(0.03, -0.01, 0.05), "no gain is shown, +3.0 points (95 % interval −1.0 to +5.0)"),
        (Estimate(0.03, None, None), "a gain of +3.0 points, of too few prompts for an interval"),
    ],
)
def test_a_gain_is_one_only_above_zero(gain: Estimate, said: str) -> None:
    assert say_gain(gain) == said


def test_shares_have_whole_percent() -> None:
    assert say_share(Estimate(0.284, -0.05, 0.61)) == "28 % (−5 to 61)"
    assert say_share(Estimate(0.284, None, None)) == "28 %"


def test_headroom_is_told_with_its_verdict_and_who_flatters() -> None:
    assert "so choosing for every prompt can pay" in say_headroom(make_judged(INDEPENDENT, True))
    assert "may well be none" in say_headroom(make_judged(INDEPENDENT, False))
    assert "flatter" in say_headroom(make_judged(SELECTING, True, selecting=True))
    assert "flatter" not in say_headroom(make_judged(INDEPENDENT, True))
    assert "two seeds" in say_headroom(replace(make_judged(INDEPENDENT, True), headroom=None))


@pytest.mark.parametrize(
    ("headroom", "said"),
    [
        (
            Estimate(0.008, -0.01, 0.03),
            "ahead of the best single composition by +0.8 points (95 % interval −1.0 to +3.0)",
        ),
        (
            Estimate(-0.008, -0.03, 0.01),
            "behind the best single composition by 0.8 points (95 % interval −1.0 to +3.0)",
        ),
        (Estimate(-0.008, None, None), "behind the best single composition by 0.8 points, "),
        (Estimate(-0.0001, None, None), "ahead of the best single composition by 0.0 points, "),
    ],
)
def test_an_oracle_that_does_worse_is_behind(headroom: Estimate, said: str) -> None:
    assert f"would be {said}" in say_headroom(replace(make_judged(INDEPENDENT, False), headroom=headroom))


def test_the_risk_tells_both_ends_and_counts_sure_gains() -> None:
    risk = make_findings().risk
    said = say_risk(risk[::-1])
    assert "8.0 to 80.0 % of prompts" in said and "from 43.6 to 40.0 %" in said
    sure = sum(point.gain.low is not None and point.gain.low > 0 for point in risk)
    assert f"at {sure} of 6 thresholds" in said and 0 < sure < 6
    assert "At no threshold is a gain shown" in say_risk(make_findings(False).risk)
    assert say_risk(risk[:1]) == "At every threshold 80.0 % of prompts leave the default."


def test_calibration_says_promise_and_truth() -> None:
    said = say_calibration(Calibration((), 0.8, 0.77, -0.2))
    assert "promise 80.0 %" in said and "hold 77.0 %" in said and "−0.20" in said
    assert "Spearman" not in say_calibration(Calibration((), 0.8, 0.77, None))


def test_p_counts_the_real_router_among_the_shuffled() -> None:
    shuffled = [0.0, 0.01, 0.02, 0.03]
    assert "gain +1.5 points on average. 2 of them gain as much as the real one, +2.0 points or more (p = 0.60)" in (
        say_permuted(shuffled, 0.02)
    )
    assert "None of them gains" in say_permuted(shuffled, 0.5) and "p = 0.20" in say_permuted(shuffled, 0.5)
    assert "p =" not in say_permuted(shuffled, None)


def test_a_control_that_helps_is_a_warning() -> None:
    judged = make_judged(INDEPENDENT, True)
    assert say_controls(judged).startswith("No control is shown")
    scores = tuple(replace(s, gain=make_estimate(0.1, 0.01)) if s.name == "random=1" else s for s in judged.scores)
    assert "random (+10.0 points) is better" in say_controls(replace(judged, scores=scores))
    assert say_controls(replace(judged, scores=())) == "No control was scored."


def test_switching_is_held_against_other_seeds() -> None:
    said = say_switching(make_curves())
    assert "Of at most 3 songs, stopping at 20.0 %" in said
    # 0.16 against 0.11 and 0.1 times log2(3)
    assert "leads by 7.9 points, and the 95 % intervals do not overlap" in said
    assert "leads by 9.5 points" in said
    chosen, *_ = (curve for curve in make_curves() if curve.order == "new seed")
    router = next(curve for curve in make_curves() if curve.order == "router")
    behind = say_switching((replace(chosen, order="router"), replace(router, order="new seed")))
    assert "is behind by 7.9 points" in behind
    assert "may well be chance" in say_switching((router, replace(router, order="new seed")))
    assert "was not tried" in say_switching((router,)) and "was not tried" in say_switching(())
    one = replace(router, points=tuple(point for point in router.points if point.budget == 1))
    assert "with more than one song" in say_switching((one, replace(one, order="new seed")))


def test_blends_are_listed_with_the_best_that_is_none() -> None:
    judged = make_judged(INDEPENDENT, True)
    assert [score.name for score in list_blends(judged)] == ["lyrics=0.5,nolyrics=0.5", "base"]
    assert list_blends(replace(judged, scores=tuple(s for s in judged.scores if "," not in s.name))) == []
