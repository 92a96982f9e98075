"""Plants what heads do, and finds it again; references are scipy's and worked out by hand."""

from __future__ import annotations

import itertools
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import entropy, spearmanr

from engine.attention_maps import AttentionFrame, bin_edges
from engine.conditioning import TokenKind
from engine.karaoke import align_words
from engine.lyric_map import LyricMap, MappedToken, map_embedded
from eval.heads import HeadMeasures, lyric_only, measure_alignment, measure_heads, name_token
from eval.table import HEAD_COLUMNS

LYRICS = map_embedded("[verse]\nMy father built this crooked gate\nAnd every spring he paints it green\nI never lose")
WORDS = np.flatnonzero(LYRICS.word_of_tokens >= 0)
TOKENS = len(LYRICS.tokens)


def mapped(*tokens: str) -> LyricMap:
    """Tokens in brackets are structure; every other one is a word."""
    words = [t for t in tokens if t[0] != "["]
    found, number = [], 0
    for text in tokens:
        is_word = text[0] != "["
        kind = TokenKind.WORD if is_word else TokenKind.STRUCTURE
        found.append(MappedToken(text, kind, number if is_word else -1, 0 if is_word else -1))
        number += is_word
    return LyricMap(tuple(found), tuple(words), (tuple(range(len(words))),) if words else ())


def frame_of(maps: Any, lyric_map: LyricMap, dtype: Any = np.float16) -> AttentionFrame:
    """A frame of [heads, bins, tokens] whose sums are those of the maps."""
    maps = np.asarray(maps, np.float64)
    columns = lyric_map.word_of_tokens >= 0
    heads = tuple((at // 4, at % 4) for at in range(len(maps)))
    mass, kept = maps[..., columns].sum(-1), maps.sum(-1)
    return AttentionFrame(8, heads, maps.astype(dtype), mass.astype(dtype), kept.astype(dtype))


def one(maps: Any, lyric_map: LyricMap = LYRICS, seed: int = 0) -> HeadMeasures:
    [measures] = measure_heads(frame_of(np.asarray(maps)[None], lyric_map), lyric_map, seed)
    return measures


def path(bins: int, backwards: bool = False) -> NDArray[np.float64]:
    """[bins, tokens]: all attention on the word tokens in order."""
    maps = np.zeros((bins, TOKENS))
    way = np.round(np.linspace(0, len(WORDS) - 1, bins)).astype(int)
    maps[np.arange(bins), WORDS[way[::-1] if backwards else way]] = 0.9
    return maps


def random_maps(heads: int, bins: int, tokens: int, seed: int = 0) -> NDArray[np.float64]:
    maps = np.random.default_rng(seed).dirichlet(np.full(tokens + 9, 0.2), (heads, bins))[..., :tokens]
    return maps.astype(np.float16).astype(np.float64)


def test_the_names_are_those_of_the_table() -> None:
    assert [f.name for f in fields(HeadMeasures)] == [c.name for c in HEAD_COLUMNS]


def test_a_head_that_goes_through_the_words_is_diagonal_and_in_order() -> None:
    found = one(path(3 * len(WORDS)))
    assert found.diagonal == pytest.approx(1) and found.order == pytest.approx(1, abs=0.01)
    assert found.diagonal_null is not None and found.diagonal_null < 0.3
    assert found.order_null is not None and found.order_null < 0.5
    assert found.dominant == pytest.approx(1 / len(WORDS), rel=0.5)
    assert found.entropy == pytest.approx(0, abs=1e-6) and found.entropy_null == pytest.approx(np.log(TOKENS))
    assert found.lyric_mass == pytest.approx(0.9, abs=1e-3)
    assert found.lyric_mass_null == pytest.approx(0.9 * len(WORDS) / TOKENS, abs=1e-3)
    assert found.switch_rate == pytest.approx((len(WORDS) - 1) / (3 * len(WORDS) - 1))
    assert found.switch_rate_null is not None and found.switch_rate_null > 0.95


def test_a_head_that_goes_backwards_is_in_reverse_order() -> None:
    found = one(path(3 * len(WORDS), backwards=True))
    assert found.order == pytest.approx(-1, abs=0.01)
    assert found.diagonal is not None and found.diagonal_null is not None
    assert found.diagonal < found.diagonal_null + 0.05


def test_a_collapsed_head_is_told_by_its_token() -> None:
    maps = np.full((60, TOKENS), 1e-4)
    maps[:, 1] = 0.7
    found = one(maps)
    assert (found.dominant, found.dominant_token, found.dominant_kind) == (1, "[verse]", "structure")
    assert found.switch_rate == 0 and found.switch_rate_null == 0
    assert found.entropy == pytest.approx(0, abs=0.15)
    assert found.lyric_mass is not None and found.lyric_mass < 0.01
    assert found.lyric_mass_null == pytest.approx(0.7 * len(WORDS) / TOKENS, rel=0.05)
    alone = one(np.eye(TOKENS)[np.full(60, WORDS[0])])
    assert (alone.order, alone.order_null) == (0, 0)
    assert alone.dominant_kind == "word" and alone.dominant_token.endswith(" in My")


def test_an_even_map_comes_out_at_its_nulls() -> None:
    found = measure_heads(frame_of(np.full((40, 200, TOKENS), 1 / (TOKENS + 9)), LYRICS), LYRICS)
    for name in ("lyric_mass", "entropy", "dominant", "switch_rate", "diagonal"):
        values = [getattr(m, name) for m in found]
        nulls = [getattr(m, f"{name}_null") for m in found]
        assert np.mean(values) == pytest.approx(np.mean(nulls), rel=0.05), name
    orders = np.array([[m.order, m.order_null] for m in found], float)
    assert abs(orders[:, 0].mean()) < 0.05
    assert (abs(orders[:, 0]) > orders[:, 1]).mean() <= 0.2, "about one in twenty lies above the quantile"


def test_two_tokens_in_turns_switch_every_time() -> None:
    maps = np.zeros((50, TOKENS))
    maps[::2, WORDS[3]] = maps[1::2, WORDS[9]] = 0.5
    found = one(maps)
    assert found.switch_rate == 1 and found.dominant == 0.5
    assert found.switch_rate_null == pytest.approx(25 / 49), "a neighbour is one of the 25 others of 49"
    assert abs(found.order or 0) < 0.05


def test_a_case_worked_out_by_hand() -> None:
    lyric_map = mapped("[x]", "one", "two", "three")
    maps = [[0.5, 0.25, 0.0, 0.0], [0.125, 0.125, 0.25, 0.0], [0.125, 0.0, 0.25, 0.125]]
    found = one(maps, lyric_map)
    assert found.lyric_mass == pytest.approx((0.25 + 0.375 + 0.375) / 3)
    assert found.lyric_mass_null == pytest.approx((0.75 + 0.5 + 0.5) / 3 * 3 / 4)
    third = np.log(3) - 2 / 3 * np.log(2)  # of 2/3 and 1/3
    quarter = 1.5 * np.log(2)  # of 1/4, 1/4 and 1/2
    assert found.entropy == pytest.approx((third + 2 * quarter) / 3, abs=1e-5)
    assert found.entropy_null == pytest.approx(np.log(4))
    assert found.dominant == pytest.approx(2 / 3)
    assert (found.dominant_token, found.dominant_kind) == ("two", "word")
    # of four tokens and three draws: all the same 4/64, two the same 36/64, none 24/64
    assert found.dominant_null == pytest.approx((4 * 3 + 36 * 2 + 24) / 64 / 3, abs=0.04)
    assert found.switch_rate == 0.5 and found.switch_rate_null == pytest.approx(2 / 3)
    assert found.diagonal is None and found.diagonal_null is None, "two to each side is all"
    assert found.order == pytest.approx(np.sqrt(3) / 2), "ranks 1, 2.5, 2.5 against 1, 2, 3"


def test_the_band_is_a_tenth_of_the_tokens_to_each_side() -> None:
    words = 40
    lyric_map = mapped(*(f"w{n}" for n in range(words)))
    way = np.arange(words)
    maps = np.zeros((words, words))
    maps[way, np.minimum(way + 4, words - 1)] = 0.5  # on its edge
    maps[way, np.maximum(way - 5, 0)] += 0.25  # just outside, but for the first five
    found = one(maps, lyric_map)
    inside = (words * 0.5 + 5 * 0.25) / (words * 0.75)
    assert found.diagonal == pytest.approx(inside, abs=1e-3)
    places = [min(words - 1, at + 4) - max(0, at - 4) + 1 for at in range(words)]
    assert found.diagonal_null == pytest.approx(np.mean(places) / words)


@pytest.mark.parametrize(("words", "told"), [(1, False), (4, False), (7, False), (8, True), (30, True)])
def test_lyrics_of_few_words_have_no_diagonal(words: int, told: bool) -> None:
    lyric_map = mapped("[x]", *(f"w{n}" for n in range(words)))
    way = np.round(np.linspace(0, words - 1, 500)).astype(int)
    maps = np.eye(words + 1)[1 + way] * 0.5
    found = one(maps, lyric_map)
    assert (found.diagonal is not None, found.diagonal_null is not None) == (told, told)
    if told:
        assert found.diagonal == pytest.approx(1) and found.diagonal_null is not None and found.diagonal_null <= 0.5
    # of the way from 0 to w - 1 a token has within two: 22 of 6 steps of 7 words, .52 of it, 26 of 7 of 8 words, .46
    if words == 8:
        assert found.diagonal_null == pytest.approx(26 / 7 / 8, abs=0.01)
    assert found.order is not None and (found.order > 0.9) == (words > 1)


def test_figures_are_those_of_scipy_head_by_head() -> None:
    maps = random_maps(6, 70, TOKENS)
    for found, of_head in zip(measure_heads(frame_of(maps, LYRICS), LYRICS), maps, strict=True):
        assert found.entropy == pytest.approx(entropy(of_head, axis=1).mean(), abs=1e-4)
        strongest = of_head[:, WORDS].argmax(1)
        assert found.order == pytest.approx(spearmanr(np.arange(70), strongest).statistic, abs=1e-9)
        assert found.switch_rate == pytest.approx((np.diff(of_head.argmax(1)) != 0).mean())


def test_nulls_are_what_shuffling_the_maps_gives() -> None:
    """The nulls are expectations; here the maps themselves are shuffled and measured."""
    random = np.random.default_rng(3)
    bins = 40
    maps = np.zeros((bins, TOKENS))
    maps[np.arange(bins), WORDS[np.sort(random.integers(0, 20, bins))]] = 0.6
    maps[:, 0] += 0.2
    found = one(maps)
    in_time, in_bins, in_words, in_all = [], [], [], []
    for _ in range(400):
        in_time.append(one(maps[random.permutation(bins)]).switch_rate)
        shuffled = maps.copy()
        shuffled[:, WORDS] = maps[:, random.permutation(WORDS)]
        words = one(shuffled)
        in_words.append((words.diagonal, abs(words.order or 0)))
        in_all.append(one(maps[:, random.permutation(TOKENS)]).lyric_mass)
        in_bins.append(one(random.permuted(maps, axis=1)).dominant)
    assert found.switch_rate_null == pytest.approx(np.mean(np.array(in_time, float)), abs=0.01)
    assert found.dominant_null == pytest.approx(np.mean(np.array(in_bins, float)), abs=0.01)
    assert found.diagonal_null == pytest.approx(np.mean([d for d, _ in in_words]), abs=0.02)
    assert found.order_null == pytest.approx(np.quantile([o for _, o in in_words], 0.95), abs=0.06)
    assert found.lyric_mass_null == pytest.approx(np.mean(np.array(in_all, float)), abs=0.03)


def test_all_orders_of_three_tokens_give_the_quantile() -> None:
    visits = np.repeat([0, 1, 2], [5, 2, 6])
    lyric_map = mapped("a", "b", "c")
    found = one(np.eye(3)[visits] * 0.5, lyric_map)
    sizes = [
        abs(spearmanr(np.arange(13), np.array(order)[visits]).statistic) for order in itertools.permutations(range(3))
    ]
    assert found.order == pytest.approx(max(sizes)) and found.order_null == pytest.approx(max(sizes))


def test_the_same_seed_gives_the_same_figures() -> None:
    frame = frame_of(np.full((3, 30, TOKENS), 0.001), LYRICS)
    assert measure_heads(frame, LYRICS, 5) == measure_heads(frame, LYRICS, 5)
    assert measure_heads(frame, LYRICS, 5) != measure_heads(frame, LYRICS, 6)


def test_heads_keep_their_order_and_names() -> None:
    maps = random_maps(6, 20, TOKENS)
    maps[4] = path(20)
    found = measure_heads(frame_of(maps, LYRICS), LYRICS)
    assert [(m.layer, m.head) for m in found] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]
    assert max(found, key=lambda m: m.diagonal or 0) is found[4]


def test_bins_and_heads_without_attention_are_left_out() -> None:
    maps = np.zeros((2, 40, TOKENS))
    maps[0, 10:30] = path(20)
    nothing = measure_heads(frame_of(maps, LYRICS), LYRICS)
    assert nothing[0].order == pytest.approx(1, abs=0.02) and nothing[0].entropy == pytest.approx(0, abs=1e-6)
    assert nothing[0].dominant == one(path(20)).dominant
    told = asdict(nothing[1])
    assert (told.pop("layer"), told.pop("head")) == (0, 1)
    assert told.pop("lyric_mass") == 0 and told.pop("lyric_mass_null") == 0
    assert told.pop("dominant_token") == "" and told.pop("dominant_kind") == ""
    assert set(told.values()) == {None}


@pytest.mark.parametrize("bins", [1, 2])
def test_the_shortest_maps_are_measured(bins: int) -> None:
    found = one(path(bins))
    assert (found.dominant, found.switch_rate, found.order) == ((1, None, None) if bins == 1 else (0.5, 1, 1))


def test_a_song_without_words_has_no_figures_of_words() -> None:
    lyric_map = map_embedded("[verse]\n[chorus]")
    tokens = len(lyric_map.tokens)
    maps = np.full((2, 30, tokens), 0.01)
    maps[:, :, 0] = 0.3
    for found in measure_heads(frame_of(maps, lyric_map), lyric_map):
        assert found.dominant == 1 and found.dominant_kind == "structure" and found.entropy is not None
        of_words = ("lyric_mass", "lyric_mass_null", "diagonal", "diagonal_null", "order", "order_null")
        assert [getattr(found, name) for name in of_words] == [None] * 6
    assert measure_alignment(maps, lyric_map, 25) == (None, None)
    empty = LyricMap((), (), ())
    assert one(np.empty((30, 0)), empty).entropy is None


def test_maps_of_other_lyrics_are_refused() -> None:
    with pytest.raises(ValueError, match=f"do not fit {TOKENS} lyric tokens"):
        measure_heads(frame_of(np.zeros((1, 5, 3)), mapped("a", "b", "c")), LYRICS)
    with pytest.raises(ValueError, match="do not fit"):
        lyric_only(np.zeros((1, 5, 3)), LYRICS)


def test_alignment_is_the_engines_score_beside_that_of_shuffled_words() -> None:
    maps = np.stack([path(120)] * 2) + random_maps(2, 120, TOKENS) * 0.1
    score, null = measure_alignment(maps, LYRICS, 25)
    assert score == pytest.approx(align_words(maps, LYRICS, 25).score, rel=1e-5)
    assert score is not None and null is not None and score > 0.5 and null < 0.3 * score
    random = np.random.default_rng(9)
    drawn = []
    for _ in range(40):
        shuffled = maps.copy()
        shuffled[..., WORDS] = maps[..., random.permutation(WORDS)]
        drawn.append(align_words(shuffled, LYRICS, 25).score or 0.0)
    assert null == pytest.approx(np.mean(drawn), abs=0.03)
    assert measure_alignment(maps, LYRICS, 25) == (score, null)


def test_alignment_of_an_even_map_is_no_better_than_its_null() -> None:
    even = np.random.default_rng(0).dirichlet(np.full(TOKENS, 50.0), (2, 100))
    score, null = measure_alignment(even, LYRICS, 25)
    assert score is not None and null is not None and abs(score - null) < 0.1
    assert measure_alignment(np.zeros((2, 50, TOKENS)), LYRICS, 25) == (0, 0)


def groups_reversed(seconds: int, rate: float = 12.5) -> tuple[LyricMap, NDArray[np.float32]]:
    """120 words of one token, every four of them sung last to first; [2 heads, frames, tokens], not pooled."""
    lyric_map = mapped(*(f"w{n}" for n in range(120)))
    frames = int(seconds * rate)
    word = np.arange(120).reshape(-1, 4)[:, ::-1].ravel()[np.arange(frames) * 120 // frames]
    maps = np.random.default_rng(0).dirichlet(np.full(120, 5.0), (2, frames)).astype(np.float32) * 0.05
    maps[:, np.arange(frames), word] += 0.7
    return lyric_map, maps


@pytest.mark.parametrize("seconds", [120, 240])
def test_pooling_does_not_hide_that_words_are_out_of_order(seconds: int) -> None:
    lyric_map, maps = groups_reversed(seconds)
    frames = maps.shape[1]
    edges = bin_edges(frames)
    pooled = np.add.reduceat(maps, edges[:-1], axis=1) / np.diff(edges)[:, None]
    bins = pooled.shape[1]
    assert bins == 256 < frames
    score, null = measure_alignment(maps, lyric_map, 12.5)
    found, found_null = measure_alignment(pooled, lyric_map, 12.5 * bins / frames, frames=frames)
    assert score is not None and null is not None
    assert found == pytest.approx(score, abs=0.01) and found_null == pytest.approx(null, abs=0.015)
    in_bins, _ = measure_alignment(pooled, lyric_map, 12.5 * bins / frames)
    assert in_bins is not None and in_bins > 5 * score, "nine bins are far longer than nine frames"


def test_fewer_frames_than_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="20 bins cannot stand for 19 frames"):
        measure_alignment(random_maps(1, 20, TOKENS), LYRICS, 25, frames=19)


def test_attention_among_the_words_alone_and_what_is_left_out() -> None:
    lyric_map = LyricMap(
        (
            MappedToken("[x]", TokenKind.STRUCTURE),
            MappedToken("ri", TokenKind.WORD, 0, 0),
            MappedToken("ver", TokenKind.WORD, 0, 0),
            MappedToken("run", TokenKind.WORD, 1, 0),
        ),
        ("river", "run"),
        ((0, 1),),
    )
    shares, discarded = lyric_only(np.array([[[0.5, 0.1, 0.2, 0.1], [0.9, 0, 0, 0]]]), lyric_map)
    assert shares.tolist() == [[pytest.approx([0.75, 0.25]), [0, 0]]]
    assert discarded.tolist() == [pytest.approx([0.6, 1.0])]


def test_tokens_are_named_for_people() -> None:
    lyric_map = LyricMap(
        (
            MappedToken("\n", TokenKind.STRUCTURE),
            MappedToken(" ", TokenKind.STRUCTURE),
            MappedToken(" River", TokenKind.WORD, 0, 0),
            MappedToken(" mid", TokenKind.WORD, 1, 0),
        ),
        ("river", "midnight"),
        ((0, 1),),
    )
    assert [name_token(lyric_map, at) for at in range(4)] == [r"\n", "' '", "River", "mid in midnight"]
