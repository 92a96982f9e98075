"""Error rates of songs with a known answer; intervals that recover a known spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from eval.wer import WordErrors, WordPair, bootstrap_interval, macro_cer, macro_wer, micro_cer, micro_wer, score


def errors_of(wrong: int, words: int) -> WordErrors:
    """A song with so many wrong words, without alignment."""
    return WordErrors(wrong / words, 0.0, wrong, 0, 0, words - wrong, words, words, 0, 0, ())


def test_a_known_alignment() -> None:
    found = score("[verse]\nthe cat sat down", "the dog sat down there")
    assert (found.substitutions, found.deletions, found.insertions, found.hits) == (1, 0, 1, 3)
    assert found.wer == pytest.approx(2 / 4)
    assert (found.reference_words, found.heard_words, found.errors) == (4, 5, 2)
    assert found.cer == pytest.approx(9 / 16)  # cat/dog three, " there" six
    assert (found.character_errors, found.reference_characters) == (9, 16)
    assert found.alignment == (
        WordPair("equal", "the", "the"),
        WordPair("substitute", "cat", "dog"),
        WordPair("equal", "sat", "sat"),
        WordPair("equal", "down", "down"),
        WordPair("insert", "", "there"),
    )


def test_silence_deletes_every_word() -> None:
    found = score("one more time", "")
    assert (found.wer, found.cer, found.deletions) == (1.0, 1.0, 3)
    assert {pair.kind for pair in found.alignment} == {"delete"}


def test_a_loop_is_not_capped() -> None:
    assert score("hello", "lo " * 50).wer == 50.0


@pytest.mark.parametrize(
    ("heard", "rate"), [("", 0.0), ("(music)", 0.0), ("you", 1.0), ("thank you for watching", 1.0)]
)
def test_nothing_to_sing(heard: str, rate: float) -> None:
    found = score("[instrumental]\n(ooh)", heard)
    assert (found.wer, found.cer, found.reference_words) == (rate, rate, 0)
    assert found.insertions == len(found.alignment) == found.heard_words


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from("abcd"), max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_counts_and_alignment_agree(reference: list[str], heard: list[str]) -> None:
    found = score(" ".join(reference), " ".join(heard))
    kinds = [pair.kind for pair in found.alignment]
    assert found.hits + found.substitutions + found.deletions == found.reference_words
    assert found.hits + found.substitutions + found.insertions == found.heard_words
    assert [kinds.count(k) for k in ("equal", "substitute", "delete", "insert")] == [
        found.hits, found.substitutions, found.deletions, found.insertions
    ]  # fmt: skip
    assert [p.reference for p in found.alignment if p.reference] == reference
    assert [p.heard for p in found.alignment if p.heard] == heard


def test_micro_and_macro() -> None:
    songs = [score("a b c d e f g h", "a b c d e f g h"), score("x y", "x")]
    assert micro_wer(songs) == pytest.approx(1 / 10)
    assert macro_wer(songs) == pytest.approx((0 + 0.5) / 2)
    assert micro_cer(songs) == pytest.approx(2 / (15 + 3))
    assert macro_cer(songs) == pytest.approx((0 + 2 / 3) / 2)
    assert micro_wer([]) == macro_wer([]) == 0.0
    assert micro_wer([score("", "you"), *songs]) == pytest.approx(2 / 10)


def test_interval_recovers_a_binomial_spread() -> None:
    rng = np.random.default_rng(1)
    rate, words, count = 0.25, 30, 120
    found = bootstrap_interval([errors_of(int(n), words) for n in rng.binomial(words, rate, size=count)])
    expected = 2 * stats.norm.ppf(0.975) * np.sqrt(rate * (1 - rate) / (words * count))
    assert found.high - found.low == pytest.approx(expected, rel=0.2)
    assert found.low < rate < found.high


def test_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for trial in range(200):
        songs = [errors_of(int(n), 30) for n in rng.binomial(30, 0.25, size=60)]
        found = bootstrap_interval(songs, resamples=500, seed=trial, level=0.9)
        covered += found.low <= 0.25 <= found.high
    assert 0.83 <= covered / 200 <= 0.96


def test_interval_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    words = rng.integers(20, 40, size=80)
    wrong = rng.binomial(words, 0.3)
    ours = bootstrap_interval([errors_of(int(e), int(n)) for e, n in zip(wrong, words, strict=True)])

    def rate(e: NDArray[np.int64], n: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        rates: NDArray[np.float64] = e.sum(axis=axis) / n.sum(axis=axis)
        return rates

    theirs = stats.bootstrap(
        (wrong, words), rate, paired=True, vectorized=True, n_resamples=10_000, method="percentile", rng=4
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.003)
    assert ours.high == pytest.approx(theirs.high, abs=0.003)


def test_clusters_widen_what_repeats_narrow() -> None:
    rng = np.random.default_rng(5)
    songs = [errors_of(int(n), 30) for n in rng.binomial(30, 0.25, size=100)]
    prompts = [str(i) for i in range(100)]
    once = bootstrap_interval(songs)
    # The same songs four times over bring no news; only knowing the prompts shows it.
    repeated = bootstrap_interval(songs * 4, clusters=prompts * 4)
    fooled = bootstrap_interval(songs * 4)
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.05)
    assert fooled.high - fooled.low == pytest.approx((once.high - once.low) / 2, rel=0.1)


def test_interval_is_repeatable_and_ends_meet_on_one_cluster() -> None:
    songs = [errors_of(1, 4), errors_of(3, 4)]
    assert bootstrap_interval(songs, seed=7) == bootstrap_interval(songs, seed=7)
    one = bootstrap_interval(songs, clusters=["a", "a"])
    assert one.low == one.high == one.estimate == 0.5


def test_interval_without_words_to_sing() -> None:
    found = bootstrap_interval([score("", "")] * 3)
    assert (found.estimate, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("count", "clusters", "level", "message"),
    [(0, None, 0.95, "no songs"), (2, ["a"], 0.95, "1 clusters for 2 songs"), (2, None, 95.0, "between 0 and 1")],
)
def test_interval_refuses(count: int, clusters: list[str] | None, level: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_interval([errors_of(1, 4)] * count, level=level, clusters=clusters)
