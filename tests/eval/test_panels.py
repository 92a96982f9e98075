"""Pictures of attention: planted maps are read back off the pixels, on one scale."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from eval.panels import COLOURS, draw_compositions, draw_heads

WORDS = ("My", "father", "built", "this")
EDGES = np.linspace(0, 9.6, 25)
MARK = (31, 181, 173)


def shade(value: float) -> tuple[int, ...]:
    """The colour of a value on a scale from 0 to 1."""
    red, green, blue, _ = matplotlib.colormaps[COLOURS](value, bytes=True)
    return int(red), int(green), int(blue)


def pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def places(picture: NDArray[np.uint8], colour: tuple[int, ...]) -> NDArray[np.intp]:
    """Rows and columns of the pixels of a colour, left of the colour bar, [pixels, 2]."""
    return np.argwhere((picture[:, : int(0.93 * picture.shape[1])] == colour).all(-1))


def flat(value: float) -> NDArray[np.float32]:
    return np.full((24, len(WORDS)), value, np.float32)


def spot(bins: slice, word: int, value: float = 1) -> NDArray[np.float32]:
    made = flat(0)
    made[bins, word] = value
    return made


def test_first_words_are_above_and_first_seconds_left() -> None:
    picture = pixels(
        draw_compositions({"base": spot(slice(0, 6), 0), "lyrics=1": spot(slice(18, 24), 3)}, WORDS, EDGES)
    )
    bright = places(picture, shade(1.0))
    middle = bright[:, 1].mean()
    left, right = bright[bright[:, 1] < middle], bright[bright[:, 1] > middle]
    assert left[:, 0].max() < right[:, 0].min(), "the first word is above the last"
    black = places(picture, shade(0.0))
    panel = black[black[:, 1] < middle][:, 1]
    assert left[:, 1].max() - panel.min() < 0.3 * (panel.max() - panel.min()), "the first quarter is to the left"


def test_all_panels_share_one_scale() -> None:
    picture = pixels(draw_compositions({"a": flat(0.25), "b": flat(1.0)}, WORDS, EDGES))
    dim, bright = places(picture, shade(0.25)), places(picture, shade(1.0))
    assert len(dim) > 20_000 and len(bright) > 20_000, "a quarter is drawn as a quarter beside a one"
    assert len(dim) == pytest.approx(len(bright), rel=0.02)
    alone = pixels(draw_compositions({"a": flat(0.25)}, WORDS, EDGES))
    assert len(places(alone, shade(1.0))) > 20_000, "alone it is the most there is"


def test_bins_are_as_long_as_they_last() -> None:
    edges = np.array([0.0, 1.0, 4.0])
    maps = np.array([[1.0, 1.0], [0.5, 0.5]])
    picture = pixels(draw_compositions({"base": maps}, ("a", "b"), edges))
    assert len(places(picture, shade(0.5))) == pytest.approx(3 * len(places(picture, shade(1.0))), rel=0.05)


def test_a_logarithmic_scale_spans_three_decades() -> None:
    maps = {"a": flat(1.0), "b": flat(10 ** (0.502 * 3 - 3)), "c": flat(1e-6)}
    picture = pixels(draw_compositions(maps, WORDS, EDGES, logarithmic=True))
    sizes = [len(places(picture, shade(value))) for value in (1.0, 0.502, 0.0)]
    assert min(sizes) > 10_000, "half way is about the square root of a thousandth, and what is below is the least"


def test_the_share_left_out_is_told_above_each_panel() -> None:
    maps = {"base": flat(0.5)}
    told, other, none = (draw_compositions(maps, WORDS, EDGES, d) for d in ({"base": 0.07}, {"base": 0.93}, None))
    assert len({told, other, none}) == 3


@pytest.mark.parametrize("count", [1, 5, 9])
@pytest.mark.parametrize("words", [1, 27, 240])
def test_any_number_of_panels_and_words_is_1100_pixels_wide(count: int, words: int) -> None:
    maps = {f"adapter-{n}=0.6,nolyrics=0.4": np.ones((24, words)) for n in range(count)}
    picture = pixels(draw_compositions(maps, ["word"] * words, EDGES))
    assert picture.shape[1] == 1100 and picture.shape[0] < 800 * (1 + count // 6)


def test_heads_lie_by_layer_and_number_and_the_followers_are_framed() -> None:
    heads = [(layer, head) for layer in range(3) for head in range(4)]
    maps = np.zeros((12, 24, 4))
    maps[6] = 1  # layer 1, head 2
    picture = pixels(draw_heads(maps, heads, WORDS, EDGES, [(1, 2), (9, 9)], title="base"))
    assert picture.shape[1] == 1100
    bright, dark = places(picture, shade(1.0)).mean(0), places(picture, shade(0.0))
    (top, left), (bottom, right) = dark.min(0).tolist(), dark.max(0).tolist()
    assert (bright[0] - top) / (bottom - top) == pytest.approx(0.5, abs=0.03), "the second of three rows"
    assert (bright[1] - left) / (right - left) == pytest.approx(2.5 / 4, abs=0.03), "the third of four columns"
    frame = places(picture, MARK)
    assert frame.mean(0) == pytest.approx(bright, abs=3)
    assert not len(places(pixels(draw_heads(maps, heads, WORDS, EDGES)), MARK))


def test_a_large_model_and_a_few_of_its_heads_can_be_drawn() -> None:
    heads = [(layer, head) for layer in range(12) for head in range(16)]
    large = pixels(draw_heads(np.ones((192, 24, 4)), heads, WORDS, EDGES))
    few = pixels(draw_heads(np.ones((3, 24, 4)), [(2, 6), (3, 10), (3, 11)], WORDS, EDGES))
    assert large.shape[1] == few.shape[1] == 1100 and large.shape[0] > few.shape[0]


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_map_of_nothing_and_odd_words_are_drawn_without_a_warning(logarithmic: bool) -> None:
    words = ("$a", "b$c$", "日本語のとても長い言葉ですとても", "\N{GRINNING FACE}")
    nothing = {"base": flat(0)}
    assert draw_compositions(nothing, words, EDGES, title="$x_1$ \N{MUSICAL NOTE}", logarithmic=logarithmic)
    assert draw_heads(flat(0)[None], [(0, 0)], words, EDGES, title="a\tb", logarithmic=logarithmic)


@pytest.mark.parametrize(
    ("maps", "words"),
    [({}, WORDS), ({"a": np.ones((24, 3))}, WORDS), ({"a": np.ones((5, 4))}, WORDS), ({"a": np.ones((24, 0))}, ())],
)
def test_maps_that_do_not_fit_are_refused(maps: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw_compositions(maps, words, EDGES)


def test_heads_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 heads for 3 maps"):
        draw_heads(np.ones((3, 24, 4)), [(0, 0), (0, 1)], WORDS, EDGES)
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw_heads(np.ones((0, 24, 4)), [], WORDS, EDGES)
