"""What picks are worth: the documented gains and variances, who is left out and why, what a mean makes of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from router import evidence
from router.errors import RouterError
from router.evidence import GAIN, NOISE, OPEN_SHARE, VoteRows, votes_to_rows
from router.feedback import Vote

COMPOSITIONS = ("base", "lyrics=1", "lyrics=0.5,nolyrics=0.5", "nolyrics=1")
MODEL, ADAPTERS = "m" * 16, {"lyrics": "a" * 16, "nolyrics": "b" * 16}
BASE: dict[str, float] = {}
LYRICS, NOLYRICS, BLEND = {"lyrics": 1.0}, {"nolyrics": 1.0}, {"nolyrics": 0.5, "lyrics": 0.5}
OTHER = {"other": 1.0}
NAN = np.nan


def vote(winner: dict[str, float], *losers: dict[str, float], **fields: Any) -> Vote:
    given: dict[str, Any] = {
        "time": datetime(2026, 3, 1, tzinfo=UTC),
        "comparison": "c1",
        "caption": "folk",
        "lyrics": "hello old friend",
        "seed": 1,
        "blind": True,
        "model_fingerprint": MODEL,
        "adapters": {**ADAPTERS, "other": "c" * 16},
    }
    return Vote(**{**given, **fields}, winner=winner, losers=losers)


def rows(*votes: Vote, default: int = 0, weight: float = 1.0) -> VoteRows:
    return votes_to_rows(votes, COMPOSITIONS, default, weight, MODEL, ADAPTERS)


@pytest.mark.parametrize(
    ("given", "default", "gains", "told"),
    [
        (vote(LYRICS, BASE), 0, [NAN, GAIN, NAN, NAN], 1),
        (vote(LYRICS, BASE, BLEND, NOLYRICS), 0, [NAN, GAIN, NAN, NAN], 1),
        (vote(BLEND, BASE), 0, [NAN, NAN, GAIN, NAN], 1),
        (vote(BASE, LYRICS), 0, [NAN, -GAIN, NAN, NAN], 1),
        (vote(BASE, LYRICS, NOLYRICS), 0, [NAN, -GAIN, NAN, -GAIN], 2),
        (vote(BASE, LYRICS, OTHER), 0, [NAN, -GAIN, NAN, NAN], 1),
        (vote(LYRICS, BASE, OTHER), 0, [NAN, GAIN, NAN, NAN], 1),
        (vote(BASE, LYRICS), 1, [GAIN, NAN, NAN, NAN], 1),
        (vote(LYRICS, BASE, BLEND), 1, [-GAIN, NAN, -GAIN, NAN], 2),
    ],
)
def test_a_vote_for_or_against_the_default_is_a_small_gain(
    given: Vote, default: int, gains: list[float], told: int
) -> None:
    found = rows(given, default=default, weight=0.25)
    np.testing.assert_array_equal(found.gains, [gains])
    np.testing.assert_allclose(found.noise, [np.where(np.isnan(gains), NAN, NOISE * told / 0.25)])
    assert [text.caption for text in found.texts] == ["folk"] and found.texts[0].lyrics == "hello old friend"
    assert not found.skipped


@pytest.mark.parametrize(
    ("given", "default", "reason"),
    [
        (vote(LYRICS, NOLYRICS), 0, evidence.NO_DEFAULT),
        (vote(OTHER, BASE), 0, evidence.UNKNOWN_WINNER),
        (vote(BASE, OTHER), 0, evidence.UNKNOWN_LOSERS),
        (vote(LYRICS, BASE, model_fingerprint="n" * 16), 0, evidence.OTHER_MODEL),
        (vote(LYRICS, BASE, adapters={"lyrics": "d" * 16}), 0, evidence.CHANGED),
        (vote(LYRICS, BASE, adapters={}), 0, evidence.CHANGED),
        (vote(BASE, LYRICS, adapters={}), 1, evidence.CHANGED),
        (vote(BASE, LYRICS, BLEND, adapters={"nolyrics": "b" * 16}), 0, evidence.CHANGED),
        (vote(LYRICS, BASE, lyrics="[verse]\n(ooh)"), 0, evidence.WORDLESS),
    ],
)
def test_a_vote_that_tells_nothing_of_the_default_is_left_out_and_counted(
    given: Vote, default: int, reason: str
) -> None:
    found = rows(given, vote(LYRICS, BASE, comparison="c2"), default=default)
    assert found.skipped == Counter({reason: 1})
    assert found.gains.shape == found.noise.shape == (1, 4) and len(found.texts) == 1


def test_losers_whose_adapter_changed_say_nothing_and_the_others_do() -> None:
    found = rows(vote(BASE, LYRICS, NOLYRICS, adapters={"nolyrics": "b" * 16}))
    np.testing.assert_array_equal(found.gains, [[NAN, NAN, NAN, -GAIN]])
    np.testing.assert_allclose(found.noise[0, 3], NOISE)


def test_an_adapter_the_table_does_not_know_is_never_taken_for_one_it_does() -> None:
    found = votes_to_rows([vote(LYRICS, BASE, adapters={})], COMPOSITIONS, 0, 1.0, MODEL, {})
    assert found.skipped == Counter({evidence.CHANGED: 1})


def test_the_last_vote_of_a_comparison_stands() -> None:
    found = rows(vote(LYRICS, BASE), vote(NOLYRICS, BASE, comparison="c2"), vote(BASE, LYRICS))
    np.testing.assert_array_equal(found.gains, [[NAN, NAN, NAN, GAIN], [NAN, -GAIN, NAN, NAN]])
    assert found.skipped == Counter({evidence.OUTVOTED: 1})


def test_names_seen_make_a_vote_count_less() -> None:
    found = rows(vote(LYRICS, BASE, blind=False), weight=2.0)
    np.testing.assert_allclose(found.noise[0, 1], NOISE / (2 * OPEN_SHARE))


def test_weight_zero_is_off_and_says_so() -> None:
    found = rows(vote(LYRICS, BASE), vote(BASE, LYRICS, comparison="c2"), weight=0)
    assert found.texts == () and found.gains.shape == found.noise.shape == (0, 4)
    assert found.skipped == Counter({evidence.OFF: 2})
    assert found.describe(0) == f"0 picks of people took part at weight 0; 2 did not ({evidence.OFF}: 2)"


def test_no_votes_are_no_rows() -> None:
    texts, gains, noise, skipped = rows()
    assert texts == () and gains.shape == noise.shape == (0, 4) and not skipped


@pytest.mark.parametrize("weight", [-0.1, 10.1, float("nan"), float("inf")])
def test_a_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(RouterError, match=r"give 0 \(off\) to 10"):
        rows(vote(LYRICS, BASE), weight=weight)


@pytest.mark.parametrize("default", [-1, 4])
def test_a_default_that_is_not_there_is_refused(default: int) -> None:
    with pytest.raises(RouterError, match="give 0 to 3"):
        rows(vote(LYRICS, BASE), default=default)


def test_many_votes_move_a_mean_towards_the_gain_and_never_beyond() -> None:
    """Precision-weighted with one measured pair (gain -.1, variance .01), as a fit does: by hand (-10 + 25 n GAIN) /
    (100 + 25 n) at weight 1."""
    means = []
    for count in (0, 1, 4, 400):
        found = rows(*(vote(LYRICS, BASE, comparison=f"c{n}") for n in range(count)))
        gains = np.append(found.gains[:, 1], -0.1)
        precision = np.append(1 / found.noise[:, 1], 1 / 0.01)
        means.append(float(np.average(gains, weights=precision)))
    np.testing.assert_allclose(means, [-0.1, (-10 + 25 * GAIN) / 125, (-10 + 100 * GAIN) / 200, 490 / 10100])
    assert means == sorted(means) and means[-1] < GAIN


def test_the_gain_is_what_an_observer_of_signs_tells() -> None:
    gains = np.random.default_rng(0).normal(0, 0.0627, 200_000)
    assert gains[gains > 0].mean() == pytest.approx(GAIN, rel=0.01)


def test_the_sentence_counts_both_sides() -> None:
    said = rows(vote(LYRICS, BASE), vote(LYRICS, NOLYRICS, comparison="c2"), weight=0.5).describe(0.5)
    assert said == f"1 pick of people took part at weight 0.5; 1 did not ({evidence.NO_DEFAULT}: 1)"
    assert rows(vote(LYRICS, BASE)).describe(1.0) == "1 pick of people took part at weight 1"
