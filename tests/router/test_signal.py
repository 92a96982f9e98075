from __future__ import annotations

import pytest

from eval.resampling import Estimate
from router.findings import Judged, Score
from router.signal import describe_signal, describe_unused


def told(gain: Estimate, headroom: Estimate | None, permuted: tuple[float, ...] = ()) -> tuple[bool, str]:
    above = None if headroom is None or headroom.low is None else headroom.low > 0
    closed = None if headroom is None else Estimate(gain.value / headroom.value, 0.1 if above else None, None)
    score = Score("router", "router", Estimate(0.4, 0.3, 0.5), gain, None, closed, 1, 2, 3, 0.5)
    return describe_signal(Judged("j", False, (score,), headroom, above), score, permuted)


SURE, UNSURE = Estimate(0.1, 0.05, 0.15), Estimate(0.01, -0.03, 0.05)


@pytest.mark.parametrize(
    ("gain", "headroom", "signal", "said"),
    [
        (
            SURE,
            Estimate(0.2, 0.1, 0.3),
            True,
            "There is a routable signal.*10.0 .5.0 to 15.0.*closes 50 % of the gap to",
        ),
        (
            SURE,
            UNSURE,
            True,
            "There is a routable signal.*; yet what an honest oracle would win, 1.0 .-3.0.*from zero[.]",
        ),
        (SURE, None, True, "There is a routable signal.*best single composition[.]"),
        (UNSURE, SURE, False, "No routable signal in captions and lyrics.*win 10.0.*cannot be told from zero"),
        (UNSURE, UNSURE, False, "No routable signal: an honest oracle would win 1.0.*cannot be told from zero"),
        (Estimate(-0.1, -0.2, -0.05), SURE, False, "No routable signal.*gains -10.0.*which is a loss"),
        (UNSURE, None, False, "No routable signal: with one seed"),
        (Estimate(0.1, None, None), SURE, False, "No routable signal can be told from so few prompts"),
    ],
)
def test_what_is_said_follows_from_the_intervals(
    gain: Estimate, headroom: Estimate | None, signal: bool, said: str
) -> None:
    import re

    found, sentence = told(gain, headroom)
    assert found is signal and re.search(said, sentence), sentence
    assert sentence.endswith(".") and "None" not in sentence


def test_shuffled_prompts_are_counted() -> None:
    assert told(SURE, None, (0.0, 0.1, 0.2, -0.1))[1].endswith(
        "2 of 4 routers fitted to shuffled prompts gained as much."
    )


@pytest.mark.parametrize(
    ("seeds", "said"), [(2, "on 1 song of each"), (4, "on 2 songs of each"), (5, "on 2 songs of each")]
)
def test_a_share_of_the_gap_says_what_the_oracle_knew(seeds: int, said: str) -> None:
    score = Score("router", "router", SURE, SURE, None, SURE, 1, 2, 3, 0.5)
    _, sentence = describe_signal(Judged("j", False, (score,), SURE, True), score, seeds=seeds)
    assert f"closes 10 % of the gap to an honest oracle, which chooses {said} composition." in sentence


def test_another_opponent_than_the_default_is_named() -> None:
    score = Score("router", "router", SURE, SURE, None, None, 1, 2, 3, 0.5)
    judged = Judged("j", False, (score,), None, None, "base")
    assert "(base as this judge hears it, not the default x=1)" in describe_signal(judged, score, (), "x=1")[1]
    assert "not the default" not in describe_signal(judged, score, (), "base")[1]


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (SURE, "10.0 (5.0 to 15.0) points of WER over it, at a WER of 40.0 (30.0 to 50.0) %, which is above zero"),
        (UNSURE, "which cannot be told from zero."),
        (Estimate(-0.1, -0.2, -0.05), "which is a loss."),
        (Estimate(0.1, None, None), "so few prompts tell nothing."),
    ],
)
def test_an_unused_policy_says_what_it_would_have_gained(gain: Estimate, said: str) -> None:
    score = Score("ridge", "policy", Estimate(0.4, 0.3, 0.5), gain, None, None, 1, 2, 3, 0.5)
    told = describe_unused("x=1", "ridge", score, "x=1")
    assert told.startswith("This router always sings its default, x=1, because fitting found no signal. Had its policy")
    assert said in told
    assert "over the best single composition of these songs, base" in describe_unused("x=1", "ridge", score, "base")
