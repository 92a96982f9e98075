"""Attention maps: what a naive softmax gives, of the heads and steps asked for, and no bit of the song is another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.conditioning import TokenKind
from engine.errors import RequestError
from engine.request import AttentionWish, SongRequest, read_request
from engine.singer import Singer
from engine.song import Step
from engine.song_model import SongModel

REQUEST = SongRequest(caption="folk", lyrics="hello there\nmy friend", seed=3, steps=3, guidance=2)
HEADS = ((0, 1), (2, 3), (2, 0))


def watching(**wish: Any) -> SongRequest:
    return REQUEST.model_copy(update={"attention": AttentionWish(**wish)})


@pytest.fixture
def singer(random_model: SongModel) -> Singer:
    return Singer(random_model)


@pytest.mark.parametrize("wish", [{}, {"steps": "all"}, {"heads": HEADS, "steps": "all"}])
def test_watching_changes_no_bit_of_the_song(singer: Singer, wish: dict[str, Any]) -> None:
    plain = singer.sing(REQUEST.model_copy(update={"attention": None}))
    watched = singer.sing(watching(**wish))
    np.testing.assert_array_equal(plain.audio, watched.audio)
    assert plain.attention is None and plain.karaoke is None


def test_maps_are_a_naive_softmax_over_all_tokens(singer: Singer) -> None:
    transformer, inputs = singer.model.transformer, dict[int, Any]()
    hooks = [
        transformer.layers[layer].cross_attn.register_forward_pre_hook(
            lambda _, args, kwargs, layer=layer: inputs.update({layer: kwargs["hidden_states"].clone()}),
            with_kwargs=True,
        )
        for layer in (0, 2)
    ]
    song = singer.prepare(watching(heads=HEADS, steps="all"))
    condition = singer.condition(REQUEST, song.length / 25).packed
    [step] = singer.step([song])
    for hook in hooks:
        hook.remove()
    assert isinstance(step, Step) and set(step.maps) == {0, 2}
    for layer, heads in ((0, [1]), (2, [0, 3])):
        attention = transformer.layers[layer].cross_attn
        embedded = transformer.condition_embedder(condition)[0]
        for place, head in enumerate(heads):
            query = attention.norm_q(attention.to_q(inputs[layer])[0].view(-1, 4, 64)[:, head])
            key = attention.norm_k(attention.to_k(embedded).view(-1, 2, 64)[:, head // 2])
            scores = (query.double() @ key.double().T) / 8
            weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
            torch.testing.assert_close(step.maps[layer][place].double(), weights, atol=1e-5, rtol=1e-4)
        sums = step.maps[layer].sum(-1)
        torch.testing.assert_close(sums, torch.ones_like(sums))


def test_the_heads_and_steps_asked_for_are_kept(singer: Singer) -> None:
    every = singer.sing(watching(heads=HEADS, steps="all")).attention
    assert every is not None and every.heads == ((0, 1), (2, 0), (2, 3))
    assert [frame.step for frame in every.recorded] == [1, 2, 3]
    last = singer.sing(watching(heads=HEADS)).attention
    assert last is not None and [frame.step for frame in last.recorded] == [3]
    np.testing.assert_array_equal(last.recorded[0].maps, every.recorded[2].maps)
    [frame] = last.recorded
    words = [token.kind == TokenKind.WORD for token in last.lyric_map.tokens]
    np.testing.assert_allclose(frame.maps.sum(-1, dtype=np.float32), frame.kept_mass, atol=2e-3)
    np.testing.assert_allclose(frame.maps[..., words].sum(-1, dtype=np.float32), frame.lyric_mass, atol=2e-3)


def test_the_models_own_heads_are_watched_by_default_and_tell_when_words_are_sung(singer: Singer) -> None:
    heads = {layer: list(found) for layer, found in singer.model.alignment_heads.items()}
    song = singer.sing(REQUEST)
    wanted = {(layer, head) for layer, found in heads.items() for head in found}
    assert heads and song.attention is not None and set(song.attention.heads) == wanted
    assert song.karaoke is not None
    other = singer.sing(watching(heads=((0, 0),)))
    assert other.attention is not None and other.attention.heads == ((0, 0),)
    assert other.karaoke == song.karaoke, "whatever is watched, words are timed by the heads that follow them"


def test_maps_are_the_same_among_others(singer: Singer) -> None:
    longer = REQUEST.model_copy(update={"lyrics": "somewhere over the hill and far away", "seed": 8})
    batch = [singer.prepare(r) for r in (longer, watching(heads=HEADS), longer.model_copy(update={"seed": 9}))]
    while not batch[1].done:
        singer.step(batch)
    alone = singer.sing(watching(heads=HEADS)).attention
    found = batch[1].record(25.0)
    assert alone is not None and found is not None
    np.testing.assert_allclose(found.recorded[-1].maps, alone.recorded[-1].maps, atol=2e-3)
    assert batch[0].record(25.0) is not None, "each song is watched as it asked"


@pytest.mark.parametrize(
    ("attention", "told"),
    [
        ({"heads": [[6, 0]]}, "layer 6, head 0, and the model"),
        ({"heads": [[0, 4]]}, "heads 0 to 3"),
        ({"heads": [[-1, 0]]}, "attention: heads, number 1, number 1: -1 is too small: choose at least 0"),
        ({"heads": [[0, 0]] * 2000}, "attention: heads has 2000 entries, at most 1,024 are allowed"),
        ({"steps": "some"}, "attention: steps must be 'last' or 'all', not 'some'"),
        ({"layers": [1]}, "attention: layers is not known here: leave it out"),
        (7, "attention must be an object with names and values, not 7"),
    ],
)
def test_a_bad_wish_is_told(singer: Singer, attention: Any, told: str) -> None:
    with pytest.raises(RequestError, match=r"attention") as refused:
        singer.preview(read_request({"lyrics": "hello", "attention": attention}))
    assert told in str(refused.value)
