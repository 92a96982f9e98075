"""What is told of maps while a song is sung stays small, whatever is watched, and says what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from engine.attention_maps import AttentionFrame, bin_edges
from engine.live_maps import LEAST_BINS, MOST_VALUES, choose_view, coarsen

#: Of the 2B model: layers and heads.
EVERY = tuple((layer, head) for layer in range(24) for head in range(16))
FOLLOWING = {(8, 3), (11, 0), (12, 7), (15, 15)}


def plant(heads: tuple[tuple[int, int], ...], bins: int, tokens: int, step: int = 3) -> AttentionFrame:
    """Each value names its head, and grows with time."""
    shape = (len(heads), bins)
    masses = np.arange(bins, dtype=np.float16)[None] / np.float16(bins) + np.arange(len(heads))[:, None]
    masses = masses.astype(np.float16)
    maps = np.broadcast_to(masses[..., None], (*shape, tokens))
    return AttentionFrame(step, heads, maps, masses, masses)


def test_all_heads_of_a_large_model_are_told_as_those_that_follow_the_words() -> None:
    view = choose_view(EVERY, FOLLOWING, 256, 512)
    frame = plant(EVERY, 256, 512)
    assert frame.maps.size * 2 > 100e6, "what it would have been"
    told = view.reduce(frame, 7500)
    assert told.heads == tuple(sorted(FOLLOWING)) and told.maps.shape == (4, 256, 512) and told.step == 3
    assert told.nbytes < 2 * MOST_VALUES * 1.01
    for at, head in enumerate(told.heads):
        place = EVERY.index(head)
        np.testing.assert_array_equal(told.maps[at], frame.maps[place])
        np.testing.assert_array_equal(told.lyric_mass[at], frame.lyric_mass[place])
    assert view.limit is not None and "4 heads that follow the words, of 384 that are watched" in view.limit
    assert "moments" not in view.limit


@pytest.mark.parametrize("tokens", [0, 1, 40, 512, 2048])
@pytest.mark.parametrize("moments", [1, 9, 100, 256])
@pytest.mark.parametrize("heads", [EVERY, EVERY[:1], EVERY[:40]])
@pytest.mark.parametrize("aligned", [set(), FOLLOWING, set(EVERY)])
def test_it_is_never_too_much_and_all_where_that_fits(
    tokens: int, moments: int, heads: tuple[tuple[int, int], ...], aligned: set[tuple[int, int]]
) -> None:
    view = choose_view(heads, aligned, moments, tokens)
    assert 0 < len(view.places) * view.bins * max(tokens, 1) <= MOST_VALUES
    assert min(moments, LEAST_BINS) <= view.bins <= moments
    whole = len(heads) * moments * tokens <= MOST_VALUES
    assert (view.limit is None) == whole == (len(view.places) == len(heads) and view.bins == moments)
    if not whole and set(heads) & aligned:
        assert all(heads[place] in aligned for place in view.places)


def test_moments_are_averaged_where_the_heads_alone_are_too_much() -> None:
    heads = EVERY[:4]
    view = choose_view(heads, set(heads), 100, 10, most=4 * 40 * 10)
    assert view.bins == 40 and view.limit is not None and "40 moments instead of 100" in view.limit
    frame = plant(heads, 100, 10)
    told = view.reduce(frame, 250)
    assert told.maps.shape == (4, 40, 10) and told.lyric_mass.shape == (4, 40)
    old, new = bin_edges(250, 100), bin_edges(250, 40)
    by_frame = np.repeat(frame.maps.astype(float), np.diff(old), axis=1)
    for at in range(40):
        np.testing.assert_allclose(told.maps[:, at], by_frame[:, new[at] : new[at + 1]].mean(1), atol=3e-3)
    few = choose_view(heads, set(heads), 100, 10, most=2 * LEAST_BINS * 10)
    assert (few.places, few.bins) == ((0, 1), LEAST_BINS), "of too many heads the first"
    assert coarsen(frame, 250, 100) is frame


def test_one_head_is_told_as_one() -> None:
    for aligned, which in (({(8, 3)}, "1 head that follows the words"), (set(), "1 head")):
        view = choose_view(EVERY, aligned, 16, 512, most=16 * 512)
        assert view.limit is not None and view.limit.endswith(f"shown is {which}, of 384 that are watched")
    several = choose_view(EVERY, FOLLOWING, 256, 512)
    assert several.limit is not None and "; shown are 4 heads that follow" in several.limit


def test_heads_that_nobody_knows_to_follow_the_words_are_the_first() -> None:
    view = choose_view(EVERY, {(99, 0)}, 256, 512)
    assert view.places == tuple(range(256)) and view.bins == LEAST_BINS
    assert view.limit is not None and "256 heads, of 384 that are watched, and 16 moments" in view.limit
