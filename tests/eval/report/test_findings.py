"""Sentences say what the figures allow, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.agreement import Transfer, measure_agreement
from eval.report.findings import say_agreement, say_choice, say_factorial, say_result, say_stability
from eval.resampling import Estimate
from eval.results import Results
from eval.statistics import Comparison
from eval.summary import Summary, summarise_table
from tests.eval.report.planted import JUDGE, SECOND


@pytest.fixture(scope="module")
def summary(results: Results) -> Summary:
    return summarise_table(results.table(), JUDGE)


def comparison(name: str, value: float, p: float) -> Comparison:
    return Comparison(name, "base", Estimate(value, value - 0.05, value + 0.05), p / 2, p, True, 3, 1, 2)


def told(summary: Summary, *comparisons: Comparison) -> str:
    return say_result(replace(summary, comparisons=comparisons)).replace("\N{NO-BREAK SPACE}", " ")


def test_no_difference_beyond_chance_is_called_so(summary: Summary) -> None:
    said = told(summary, comparison("lyrics", -0.3, 0.06), comparison("nolyrics", 0.2, 0.9))
    assert said == "No adapter is shown to differ from base (least p = .060, 6 songs each over 3 prompts)."


def test_better_worse_and_alike_are_told_apart(summary: Summary) -> None:
    said = told(
        summary, comparison("a", -0.1, 0.01), comparison("b", 0.2, 0.0001), comparison("c", -0.3, 0.049),
        comparison("d", -0.4, 0.05),
    )  # fmt: skip
    assert said == (
        "Fewer words go wrong than with base: c by 30.0 points (difference −35.0 to −25.0, p = .049) and a by 10.0 "
        "points (difference −15.0 to −5.0, p = .010). More words go wrong than with base: b by 20.0 points (difference "
        "+15.0 to +25.0, p < .001). d is not shown to differ from base."
    )


def test_without_base_or_without_a_mate_nothing_is_compared(summary: Summary) -> None:
    assert "holds no base" in say_result(replace(summary, reference=None, comparisons=()))
    alone = say_result(replace(summary, words=summary.words[:1], comparisons=()))
    assert alone.startswith("base gets ") and "nothing to compare" in alone


@pytest.mark.parametrize(
    ("low", "high", "distinguishable", "said"),
    [
        (
            0.01,
            0.09,
            True,
            "Choosing the composition for every prompt pays: chosen on some songs and scored on others (an honest "
            "oracle), it gains +5.0 points (95",
        ),
        (
            -0.01,
            0.09,
            False,
            "Choosing the composition for every prompt is not shown to pay (no routable signal): chosen on some songs "
            "and scored on others (an honest oracle), it gains",
        ),
        (
            -0.09,
            -0.01,
            False,
            "Choosing the composition for every prompt is not shown to pay (no routable signal): chosen on some songs "
            "and scored on others (an honest oracle), it does worse",
        ),
    ],
)
def test_choosing_pays_only_above_zero(
    summary: Summary, low: float, high: float, distinguishable: bool, said: str
) -> None:
    oracle = summary.oracle
    assert oracle is not None and oracle.honest is not None
    honest = replace(oracle.honest, headroom=Estimate((low + high) / 2, low, high))
    assert say_choice(replace(oracle, honest=honest, distinguishable=distinguishable)).startswith(said)
    assert "two seeds or more" in say_choice(replace(oracle, honest=None, distinguishable=None))
    assert "over the 1 of 3 prompts" in say_choice(replace(oracle, split_prompts=1))
    assert "over the" not in say_choice(oracle)
    assert "too few prompts to tell it from none" in say_choice(oracle)  # three


def test_stability_and_the_two_by_two_name_their_figures(summary: Summary) -> None:
    assert summary.stability is not None and summary.factorial is not None
    halves = replace(summary.stability.halves, tau=-0.5, same_best=0.25, genre_same_best=0.5, chance=0.2)
    said = say_stability(replace(summary.stability, halves=halves))
    assert "25.0 % of splits (Kendall's tau −0.50)" in said and "by chance it would be 20.0 %" in said
    effect = summary.factorial.lyrics
    made = replace(
        summary.factorial,
        lyrics=replace(effect, size=Estimate(-0.1, -0.2, -0.01), p=0.003, p_holm=0.01),
        sharpening=replace(effect, size=Estimate(0.1, -0.2, 0.4), p=0.02, p_holm=0.5),
        interaction=replace(effect, p=0.02, p_holm=0.06),
    )
    assert say_factorial(made).replace("\N{NO-BREAK SPACE}", " ") == (
        "Training on lyrics helps (−10.0 points, p = .010); sharpening attention is not shown to make a "
        "difference (+10.0 points, p = .500); the two are not shown to do other than add up."
    )


def test_judges_that_agree_by_chance_are_not_said_to_agree(results: Results) -> None:
    found = measure_agreement(results.table(), JUDGE, SECOND)
    few = say_agreement(found)
    assert few.startswith(f"{JUDGE} and {SECOND} heard the same 6 songs of each composition.")
    assert "not shown to be more than chance" in few and "shown to be above zero in neither direction" in few

    def gaining(low: float) -> Transfer:
        honest = found.transfers[0].honest
        assert honest is not None
        return replace(found.transfers[0], honest=replace(honest, headroom=Estimate(0.04, low, 0.07)))

    sure = replace(found, difference_correlation=Estimate(0.4, 0.2, 0.6), transfers=(gaining(0.01), gaining(-0.01)))
    said = say_agreement(sure)
    assert "correlates by 0.40 (95 % interval 0.20 to 0.60)." in said and "chance" not in said
    assert "composition is +4.0 and +4.0 points" in said and said.endswith("in one direction only.")
    mute = replace(sure, song_correlation=None, difference_correlation=None, transfers=())
    assert say_agreement(mute) == few.partition(".")[0] + "."
