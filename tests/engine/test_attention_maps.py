"""Pooled maps against plain loops, and what is kept of them."""

from __future__ import annotations

import io
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.attention_maps import (
    AttentionFrame,
    AttentionRecord,
    RecordError,
    bin_edges,
    load_record,
    merge_words,
    pool_frame,
    thin_steps,
)
from engine.conditioning import TokenKind
from engine.lyric_map import LyricMap, map_embedded
from tests.engine.real_tokenizer import real_pipeline

HEADS = ((2, 0), (3, 1))


def kinds_of(lyric_map: LyricMap) -> torch.Tensor:
    kinds = [*(t.kind for t in lyric_map.tokens), TokenKind.TIMBRE, *[TokenKind.CAPTION] * 4, TokenKind.PADDING]
    return torch.tensor(kinds, dtype=torch.int8)


def random_maps(frames: int, tokens: int, seed: int = 0) -> torch.Tensor:
    scores = torch.randn(len(HEADS), frames, tokens, generator=torch.Generator().manual_seed(seed))
    return (2 * scores).softmax(-1)


def sing(lyrics: str, frames: int, steps: int, seed: int = 0) -> AttentionRecord:
    lyric_map = map_embedded(lyrics)
    kinds = kinds_of(lyric_map)
    return AttentionRecord(
        lyric_map,
        25.0,
        frames,
        tuple(
            pool_frame(step, HEADS, random_maps(frames, len(kinds), seed + step), kinds, frames)
            for step in range(1, steps + 1)
        ),
    )


def same(one: AttentionRecord, other: AttentionRecord) -> bool:
    return (
        (one.lyric_map, one.frame_rate, one.frames) == (other.lyric_map, other.frame_rate, other.frames)
        and len(one.recorded) == len(other.recorded)
        and all(
            (a.step, a.heads) == (b.step, b.heads)
            and a.maps.dtype == b.maps.dtype == np.float16
            and np.array_equal(a.maps, b.maps)
            and np.array_equal(a.lyric_mass, b.lyric_mass)
            and np.array_equal(a.kept_mass, b.kept_mass)
            for a, b in zip(one.recorded, other.recorded, strict=True)
        )
    )


@given(frames=st.integers(1, 700), bins=st.integers(1, 256))
@settings(deadline=None)
def test_bins_cover_all_frames_and_differ_by_one_at_most(frames: int, bins: int) -> None:
    edges = bin_edges(frames, bins)
    assert edges[0] == 0 and edges[-1] == frames and len(edges) - 1 == min(frames, bins)
    assert np.ptp(np.diff(edges)) <= 1 and np.diff(edges).min() >= 1


@given(frames=st.integers(1, 40), spare=st.integers(0, 5), bins=st.integers(1, 12), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_pooling_equals_plain_loops(frames: int, spare: int, bins: int, seed: int) -> None:
    lyric_map = map_embedded("[verse]\nblue river\ngo")
    kinds = kinds_of(lyric_map)
    maps = random_maps(frames + spare, len(kinds), seed)
    np.testing.assert_allclose(maps.sum(-1), 1, atol=1e-5)
    found = pool_frame(3, HEADS, maps, kinds, frames, bins)
    assert found.step == 3 and found.heads == HEADS
    tokens, edges = len(lyric_map.tokens), bin_edges(frames, bins)
    assert found.maps.shape == (2, min(bins, frames), tokens)
    for head in range(2):
        for place, (first, end) in enumerate(pairwise(edges)):
            mean = maps[head, first:end].double().numpy().mean(0)
            np.testing.assert_allclose(found.maps[head, place], mean[:tokens], atol=5e-4)
            words = [at for at, kind in enumerate(kinds.tolist()) if kind == TokenKind.WORD]
            assert found.lyric_mass[head, place] == pytest.approx(mean[words].sum(), abs=5e-4)
            assert found.kept_mass[head, place] == pytest.approx(mean[:tokens].sum(), abs=5e-4)


def test_sums_are_taken_before_anything_is_rounded() -> None:
    """A thousand tokens too faint for half precision together still count."""
    kinds = torch.tensor([TokenKind.WORD] * 1000 + [TokenKind.CAPTION], dtype=torch.int8)
    maps = torch.full((1, 600, 1001), 2e-8)
    maps[..., -1] = 1 - 2e-5
    found = pool_frame(1, ((0, 0),), maps, kinds, 600)
    assert found.maps.max() == 0 or found.maps.max() < 1e-7
    np.testing.assert_allclose(found.lyric_mass, 2e-5, rtol=0.01)


def test_frames_that_only_fill_up_are_not_seen() -> None:
    kinds = kinds_of(map_embedded("blue river"))
    maps = random_maps(300, len(kinds))
    spoilt = maps.clone()
    spoilt[:, 280:] = torch.nan
    one, other = (pool_frame(1, HEADS, m, kinds, 280) for m in (maps[:, :280], spoilt))
    np.testing.assert_array_equal(one.maps, other.maps)
    assert np.isfinite(other.maps.astype(float)).all()


def test_lyrics_that_do_not_come_first_are_refused() -> None:
    kinds = torch.tensor([TokenKind.CAPTION, TokenKind.WORD], dtype=torch.int8)
    with pytest.raises(ValueError, match="come first"):
        pool_frame(1, HEADS, random_maps(4, 2), kinds, 4)


def test_pooling_is_cheap() -> None:
    kinds = torch.tensor([TokenKind.WORD] * 120 + [TokenKind.CAPTION] * 30, dtype=torch.int8)
    maps = torch.rand(8, 400, 150).softmax(-1)
    spent = []
    for _ in range(20):
        started = time.perf_counter()
        pool_frame(1, HEADS * 4, maps, kinds, 400)
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.02


@pytest.mark.parametrize("frames", [30, 300])
def test_a_record_survives_its_file(frames: int) -> None:
    record = sing("[verse]\nBlue river 42\ngo on!", frames, steps=3)
    content = record.save_bytes()
    assert same(load_record(content), record)
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        bins = min(frames, 256)
        assert file["maps"].shape == (3, 2, bins, len(record.lyric_map.tokens))
        assert file["edges"].shape == (bins + 1,) and file["edges"][-1] == pytest.approx(frames / 25)
        assert file["heads"].tolist() == [[2, 0], [3, 1]] and file["steps"].tolist() == [1, 2, 3]
        assert file["words"].tolist() == ["Blue", "river", "forty", "two", "go", "on"]
        assert file["lines"].tolist() == [0, 0, 0, 0, 1, 1]
        assert all(file[name].dtype != object for name in file.files)


def test_records_without_words_or_steps_survive_too() -> None:
    assert same(load_record(sing("", 40, 1).save_bytes()), sing("", 40, 1))
    assert same(load_record(sing("blue", 40, 0).save_bytes()), sing("blue", 40, 0))


def test_other_scripts_survive() -> None:
    from engine.lyric_map import map_lyrics

    lyric_map = map_lyrics(real_pipeline(), "夜の海\nзимний вечер")
    record = AttentionRecord(lyric_map, 12.5, 10, ())
    assert load_record(record.save_bytes()).lyric_map == lyric_map


def test_what_is_no_record_is_refused_by_name() -> None:
    whole = sing("blue river", 30, 2).save_bytes()
    pickled, other, uneven = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(pickled, maps=np.array([{}], dtype=object))
    np.savez(other, something=np.zeros(3))
    with np.load(io.BytesIO(whole)) as file:
        np.savez(uneven, **{name: file[name][:-1] if name == "words" else file[name] for name in file.files})
    for content in (
        b"",
        b"RIFF",
        whole[:-30],
        whole[: len(whole) // 2],
        *(f.getvalue() for f in (pickled, other, uneven)),
    ):
        with pytest.raises(RecordError, match=f"these {len(content)} bytes are no attention maps"):
            load_record(content)


def test_words_get_the_sum_of_their_tokens() -> None:
    lyric_map = map_embedded("[verse]\nblue river\ngo")
    maps = random_maps(20, len(lyric_map.tokens)).numpy()
    merged = merge_words(maps, lyric_map)
    assert merged.shape == (2, 20, 3)
    for word in range(3):
        tokens = [at for at, token in enumerate(lyric_map.tokens) if token.word == word]
        np.testing.assert_allclose(merged[..., word], maps[..., tokens].sum(-1), rtol=1e-5)
    record = sing("[verse]\nblue river\ngo", 20, 2)
    np.testing.assert_allclose(record.words().sum(-1), record.recorded[-1].lyric_mass, atol=2e-3)


def blank(step: int) -> AttentionFrame:
    mass: NDArray[np.float16] = np.zeros((1, 250), np.float16)
    return AttentionFrame(step, ((0, 0),), np.zeros((1, 250, 198), np.float16), mass, mass)  # 100 kB


@pytest.mark.parametrize("megabytes", [0.0, 0.1, 0.35, 1.0, 2.05, 100.0])
def test_thinning_bounds_memory_keeps_the_last_and_spaces_the_rest_evenly(megabytes: float) -> None:
    frames = [blank(step) for step in range(1, 61)]
    kept = [frame.step for frame in thin_steps(frames, megabytes)]
    assert len(kept) == max(1, min(60, int(megabytes * 10))) and kept[-1] == 60
    assert len(kept) < 2 or kept[0] == 1
    gaps = np.diff(kept)
    assert len(gaps) < 2 or np.ptp(gaps) <= 2


def test_thinning_while_a_song_grows_stays_even() -> None:
    kept: tuple[AttentionFrame, ...] = ()
    for step in range(1, 61):
        kept = thin_steps([*kept, blank(step)], 0.65)
    steps = [frame.step for frame in kept]
    assert len(steps) == 6 and steps[0] == 1 and steps[-1] == 60
    assert max(np.diff(steps)) <= 3 * 60 / 5


def test_a_record_is_thinned_whole() -> None:
    record = sing("blue river", 100, 5)
    thinned = record.thin(record.recorded[0].nbytes * 2.5 / 1e6)
    assert [frame.step for frame in thinned.recorded] == [1, 5]
    assert same(record.thin(1e3), record)
