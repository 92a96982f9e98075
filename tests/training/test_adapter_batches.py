"""Every clip once an epoch, the same batch whenever it is asked for, and padding that can be told from the clip."""

from __future__ import annotations

from itertools import chain

import pytest
import torch

from engine.conditioning import TokenKind
from engine.song_model import SongModel
from tests.training.planted_corpus import random_clip
from training.adapter_batches import MAX_VALIDATION, BatchOrder, collate, split_clips

LENGTHS = [20 + 7 * (n % 13) for n in range(50)]


@pytest.mark.parametrize("size", [1, 4, 7])
def test_every_clip_comes_once_an_epoch_in_an_order_of_its_own(size: int) -> None:
    order = BatchOrder(range(50), LENGTHS, size, seed=3)
    epochs = [
        list(chain.from_iterable(order[epoch * order.per_epoch + n] for n in range(order.per_epoch)))
        for epoch in range(2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(50))
    assert epochs[0] != epochs[1]
    assert all(1 <= len(order[n]) <= size for n in range(2 * order.per_epoch))


def test_a_batch_is_the_same_whenever_it_is_asked_for() -> None:
    one, other = (BatchOrder(range(50), LENGTHS, 4, seed=3) for _ in range(2))
    asked = [40, 3, 39, 0, 12, 3]
    forwards = {n: one[n] for n in asked}
    assert forwards == {n: other[n] for n in reversed(asked)}
    assert [one[n] for n in range(13)] != [BatchOrder(range(50), LENGTHS, 4, seed=4)[n] for n in range(13)]


def test_batches_hold_clips_of_like_length() -> None:
    order = BatchOrder(range(50), LENGTHS, 5, seed=0)
    spreads = [max(LENGTHS[c] for c in b) - min(LENGTHS[c] for c in b) for b in (order[n] for n in range(10))]
    assert sum(spreads) / 10 <= 10 < (max(LENGTHS) - min(LENGTHS)) / 2


@pytest.mark.parametrize(("count", "kept"), [(7, 0), (8, 1), (100, 5), (101, 6), (5000, MAX_VALIDATION)])
def test_a_share_of_the_clips_is_held_out(count: int, kept: int) -> None:
    training, held_out = split_clips(count, 0.05, seed=1)
    assert len(held_out) == kept
    assert sorted(training + held_out) == list(range(count))
    assert split_clips(count, 0.05, seed=1) == (training, held_out)
    assert split_clips(count, 0, seed=1) == (list(range(count)), [])


def test_clips_are_padded_with_their_last_frame_and_with_tokens_that_are_none(random_model: SongModel) -> None:
    long, short = random_clip(random_model, 30, 9, seed=1), random_clip(random_model, 12, 2, seed=2)
    batch = collate([long, short])
    assert torch.equal(batch.latents[0], long.latents) and torch.equal(batch.source[0], long.source)
    assert torch.equal(batch.latents[1, :12], short.latents)
    assert torch.equal(batch.latents[1, 12:], short.latents[-1:].expand(18, -1))
    assert torch.equal(batch.source[1, 12:], short.source[-1:].expand(18, -1))
    assert batch.frames.sum(1).tolist() == [30, 12] and batch.frames[1, :12].all()
    tokens = len(short.kinds)
    assert torch.equal(batch.condition[1, :tokens], short.condition) and not batch.condition[1, tokens:].any()
    assert (batch.kinds[1, tokens:] == TokenKind.PADDING).all() and torch.equal(batch.kinds[1, :tokens], short.kinds)
    assert (batch.kinds[0] != TokenKind.PADDING).all()
