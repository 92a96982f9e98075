"""Plants attention maps whose best words are known, and finds them again."""

from __future__ import annotations

import numpy as np
import pytest

from engine.plan import Note, Plan
from engine.request import SongRequest
from engine.singer import Singer
from engine.song_model import SongModel
from eval.alignment import measure_alignment, word_accuracy, word_of_frames, word_of_tokens


def test_tokens_are_told_apart_by_word_with_tags_and_breaks_outside() -> None:
    words = word_of_tokens("[verse]\nblue river\ngo", 40)
    inside = words[words >= 0]
    assert words[0] == -1 and words[-1] == -1 and words[1] == -1, "<bos>, caption and the tag belong to no word"
    assert list(dict.fromkeys(inside)) == [0, 1, 2]
    assert (np.diff(inside) >= 0).all()
    assert word_of_tokens("blue river", 3).shape == (3,), "a cut sequence stays cut"


def test_frames_get_their_words_and_rests_none() -> None:
    notes = (
        Note(start=1, frames=2, midi=50, slot=0, line=0, word=0),
        Note(start=3, frames=1, midi=50, slot=1, line=0, word=0),
        Note(start=5, frames=2, midi=50, slot=2, line=0, word=1),
    )
    plan = Plan(genre="folk", voice="low", bpm=100, frames=8, notes=notes)
    assert word_of_frames(plan).tolist() == [-1, 0, 0, 0, -1, 1, 1, -1]


def test_planted_share_of_right_frames_is_found_per_head() -> None:
    tokens = np.array([-1, 0, 0, 1, 1, 2, -1])
    frames = np.array([-1, 0, 0, 1, 1, 1, 2, 2, 2, 2, -1])
    perfect = np.zeros((11, 7))
    for at, word in enumerate(frames):
        perfect[at, np.flatnonzero(tokens == word) if word >= 0 else 0] = 0.5
    half = perfect.copy()
    half[6:10] = perfect[1]  # the four frames of the last word look at the first one: 5 of 9 are right
    silent = perfect.copy()
    silent[:, 0] = 9.0  # attention on tokens of no word does not count
    found = word_accuracy(np.stack([perfect, half, silent]), tokens, frames)
    np.testing.assert_allclose(found, [1.0, 5 / 9, 1.0])


def test_mass_is_summed_over_the_tokens_of_a_word() -> None:
    maps = np.array([[[0.3, 0.3, 0.4]]])  # one head, one frame: the longer word wins together
    assert word_accuracy(maps, np.array([0, 0, 1]), np.array([0]))[0] == 1.0


def test_nothing_sung_is_not_a_number() -> None:
    assert np.isnan(word_accuracy(np.ones((2, 3, 4)), np.full(4, -1), np.full(3, -1))).all()


def test_a_random_model_is_near_chance_in_every_head(random_model: SongModel) -> None:
    requests = [SongRequest(caption="folk", lyrics="the river runs to the quiet sea at night", seed=s) for s in (1, 2)]
    heads = measure_alignment(Singer(random_model), requests)
    layers = random_model.transformer.config.num_hidden_layers
    assert len(heads) == layers * random_model.transformer.config.num_attention_heads
    assert [h.accuracy for h in heads] == sorted((h.accuracy for h in heads), reverse=True)
    assert heads[0].accuracy < 0.6, "nobody taught these heads anything"
    assert heads[0].frames == pytest.approx(heads[-1].frames) and heads[0].frames > 20
