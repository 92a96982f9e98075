"""What is known of prompts comes out in their order, by rows, whatever they lack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from router.features import Features, Featuriser
from router.lyric_statistics import NAMES, measure_lyrics
from router.prompt import RouterPrompt

WORDS = ("folk", "rock", "slow")


class OneHot:
    """A sentence model whose vector tells which of three words a text holds."""

    name, fingerprint = "one-hot", "0" * 16

    def __init__(self) -> None:
        self.read: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += texts
        return np.array([[word in text for word in WORDS] for text in texts], np.float32).reshape(-1, len(WORDS))


def test_prompts_are_described_in_their_order() -> None:
    model = OneHot()
    prompts = [
        RouterPrompt(caption="a folk song.", tags=("slow", "old"), lyrics="the river runs\naway"),
        RouterPrompt(tags=("rock",)),
        RouterPrompt(lyrics="love"),
    ]
    found = Featuriser(model).describe(prompts)
    assert model.read == ["a folk song. slow, old", "rock", ""]
    np.testing.assert_array_equal(found.sentences, [[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(found.lyrics, [measure_lyrics(prompt.lyrics) for prompt in prompts])
    assert len(found) == 3 and str(found.sentences.dtype) == "float32" and str(found.lyrics.dtype) == "float64"


def test_lyrics_do_not_reach_the_sentence_model_nor_captions_the_figures() -> None:
    featuriser = Featuriser(OneHot())
    one = featuriser.describe([RouterPrompt(caption="folk", lyrics="rock and slow")])
    other = featuriser.describe([RouterPrompt(caption="folk")])
    np.testing.assert_array_equal(one.sentences, other.sentences)
    assert not other.lyrics.any() and one.lyrics.any()


def test_no_prompts_are_no_rows() -> None:
    found = Featuriser(OneHot()).describe([])
    assert len(found) == 0 and found.sentences.shape == (0, 3) and found.lyrics.shape == (0, len(NAMES))


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([2, 0], [2, 0]),
        (np.array([True, False, True]), [0, 2]),
        ([], []),
        (np.array([], np.intp), []),
        (np.zeros(3, np.bool_), []),
        (np.array([1, 1, 1]), [1, 1, 1]),
    ],
)
def test_rows_are_selected_by_mask_and_by_index(rows: NDArray[np.bool_] | list[int], kept: list[int]) -> None:
    features = Features(np.eye(3, dtype=np.float32), np.arange(6.0).reshape(3, 2))
    found = features.select(rows)
    np.testing.assert_array_equal(found.sentences, np.eye(3, dtype=np.float32)[kept])
    np.testing.assert_array_equal(found.lyrics, np.arange(6.0).reshape(3, 2)[kept])
    assert len(found) == len(kept)


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="3 sentence vectors but lyric figures of 2 prompts"):
        Features(np.eye(3, dtype=np.float32), np.zeros((2, 4)))
