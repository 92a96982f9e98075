"""Pictures of attention: compositions side by side, and all heads of one song, each on one shared colour scale.

Words run down, seconds to the right, so attention that follows the words runs from the top left to the bottom right.
Draws what it is given: whether maps are renormalised, and what was left out, the caller says.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Perceptually uniform, dark to bright.
COLOURS = "magma"
#: Labels of words on one axis, letters of a label, panels in a row.
MOST_LABELS, MOST_LETTERS, MOST_ABREAST = 40, 14, 6
#: A logarithmic scale spans so many decades.
DECADES = 3
SCALE = "share of the attention on words"
_MARK = "#1fb5ad"
_FINE = 3  # columns per bin
_DPI = 110
_WIDTH = 10.0  # inches: 1100 pixels


def draw_compositions(
    maps: Mapping[str, NDArray[np.floating[Any]]],
    words: Sequence[str],
    edges: NDArray[np.floating[Any]],
    discarded: Mapping[str, float] | None = None,
    *,
    title: str = "",
    scale: str = SCALE,
    logarithmic: bool = False,
) -> bytes:
    """A PNG, 1100 pixels wide, with a panel for every composition.

    Args:
        maps: [bins, words] by the name of the composition.
        edges: seconds at which the bins begin, and the end, [bins + 1].
        discarded: by composition the share of all attention that the maps leave out, told above each panel.
        scale: what the colours stand for.

    Raises:
        ValueError: there is no composition or no word, or the shapes do not fit.
    """
    _check(np.stack([*maps.values()]) if maps else np.empty((0, 0, 0)), words, edges)
    figure, canvas = _figure()
    rows, columns = -(-len(maps) // MOST_ABREAST), min(len(maps), MOST_ABREAST)
    figure.set_size_inches(_WIDTH, 1.5 + rows * min(5.5, max(2.4, 0.135 * min(len(words), MOST_LABELS) + 0.5)))
    axes: Any = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    norm = _norm([*maps.values()], logarithmic)
    labels = _labels(words)
    image: Any = None
    for axis, (name, values) in zip(axes, maps.items(), strict=False):
        image = _show(axis, values, edges, norm, (float(edges[0]), float(edges[-1]), len(words) - 0.5, -0.5), 700)
        told = f"\n{discarded[name]:.0%} elsewhere" if discarded is not None and name in discarded else ""
        size = 8.5 if columns <= 4 else 7.5
        axis.set_title(_plain(_folded(name)) + told, fontsize=size, parse_math=False)
        axis.tick_params(labelsize=7, length=2, pad=2)
        axis.set_yticks([at for at, _ in labels], [text for _, text in labels], parse_math=False)
        axis.locator_params(axis="x", nbins=4)
        axis.tick_params(labelleft=bool(axis.get_subplotspec().is_first_col()), labelbottom=True)
    for axis in axes[len(maps) :]:
        axis.set_visible(False)
    figure.supxlabel("seconds", fontsize=8)
    _finish(figure, image, axes, title, scale, logarithmic)
    return _png(canvas)


def draw_heads(
    maps: NDArray[np.floating[Any]],
    heads: Sequence[tuple[int, int]],
    words: Sequence[str],
    edges: NDArray[np.floating[Any]],
    aligned: Collection[tuple[int, int]] = (),
    *,
    title: str = "",
    scale: str = SCALE,
    logarithmic: bool = False,
) -> bytes:
    """A PNG, 1100 pixels wide, with a small panel for every head: layers down, heads to the right.

    Args:
        maps: [heads, bins, words].
        heads: layer and head of each map.
        edges: seconds at which the bins begin, and the end, [bins + 1].
        aligned: heads that follow the words, which get a frame.

    Raises:
        ValueError: there is no head or no word, or the shapes do not fit.
    """
    from matplotlib.patches import Rectangle

    _check(maps, words, edges)
    if len(heads) != len(maps):
        raise ValueError(f"{len(heads)} heads for {len(maps)} maps")
    figure, canvas = _figure()
    layers, numbers = sorted({layer for layer, _ in heads}), sorted({head for _, head in heads})
    height = min(1.0, max(0.32, 3.2 / len(numbers)))
    figure.set_size_inches(_WIDTH, 1.6 + height * len(layers))
    axis: Any = figure.add_subplot()
    norm = _norm([maps], logarithmic)
    gap = 0.03
    image: Any = None
    for values, (layer, head) in zip(maps, heads, strict=True):
        x, y = numbers.index(head), layers.index(layer)
        image = _show(axis, values, edges, norm, (x + gap, x + 1 - gap, y + 1 - gap, y + gap), 240)
        if (layer, head) in set(aligned):
            corner, side = (x + gap / 2, y + gap / 2), 1 - gap
            axis.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=_MARK, linewidth=2, clip_on=False))
    axis.set_xlim(0, len(numbers))
    axis.set_ylim(len(layers), 0)
    axis.set_xticks(np.arange(len(numbers)) + 0.5, [f"head {n}" if len(numbers) <= 8 else str(n) for n in numbers])
    axis.set_yticks(np.arange(len(layers)) + 0.5, [f"layer {n}" for n in layers])
    axis.xaxis.tick_top()
    axis.tick_params(labelsize=8, length=0)
    axis.spines[:].set_visible(False)
    if len(numbers) > 8:
        axis.set_xlabel("head", fontsize=8)
        axis.xaxis.set_label_position("top")
    span = f"{edges[0]:.3g} to {edges[-1]:.3g} s"
    note = f"each panel: {span} to the right, the {len(words)} words down"
    if set(aligned) & set(heads):
        note += "; framed: heads that follow the words"
    figure.supxlabel(note, fontsize=8)
    _finish(figure, image, [axis], title, scale, logarithmic)
    return _png(canvas)


def _figure() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=_DPI, layout="constrained")
    return figure, FigureCanvasAgg(figure)


def _check(maps: NDArray[np.floating[Any]], words: Sequence[str], edges: NDArray[np.floating[Any]]) -> None:
    if maps.ndim != 3 or not maps.size or maps.shape[1:] != (len(edges) - 1, len(words)):
        raise ValueError(f"maps {maps.shape} cannot be drawn over {len(edges) - 1} bins and {len(words)} words")


def _norm(maps: Sequence[NDArray[np.floating[Any]]], logarithmic: bool) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    most = max(float(np.max(values)) for values in maps) or 1.0
    return LogNorm(most * 10.0**-DECADES, most, clip=True) if logarithmic else Normalize(0, most)


def _show(
    axis: Any,
    values: NDArray[np.floating[Any]],
    edges: NDArray[np.floating[Any]],
    norm: Any,
    extent: tuple[float, float, float, float],
    least: int,
) -> Any:
    """Draw [bins, words] into ``extent`` (left, right, bottom, top); bins may be of unequal length.

    Cells are repeated until there are at least ``least`` down and across, more than pixels, so that matplotlib averages
    and never blurs.
    """
    bins, words = values.shape
    fine = max(_FINE * bins, least)
    times = edges[0] + (edges[-1] - edges[0]) * (np.arange(fine) + 0.5) / fine
    columns = np.clip(np.searchsorted(edges, times, "right") - 1, 0, bins - 1)
    rows = np.repeat(np.arange(words), -(-least // words))
    pixels = np.asarray(values, np.float32).T[rows[:, None], columns]
    return axis.imshow(pixels, norm=norm, cmap=COLOURS, extent=extent, aspect="auto", interpolation="auto")


def _labels(words: Sequence[str]) -> list[tuple[int, str]]:
    """Places and texts of the words that are labelled: all, or evenly thinned."""
    step = -(-len(words) // MOST_LABELS)
    return [(at, _plain(_cut(words[at]))) for at in range(0, len(words), step)]


def _cut(word: str) -> str:
    return word if len(word) <= MOST_LETTERS else word[: MOST_LETTERS - 1] + "…"


def _folded(name: str) -> str:
    """A blend over several lines, so that its name is no wider than its panel."""
    parts = name.split(",")
    return "\n".join(parts) if len(parts) <= 3 else "\n".join([*parts[:2], f"and {len(parts) - 2} more"])


def _plain(text: str) -> str:
    """With what the font has no picture of replaced: matplotlib would warn of every one."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    has: Any = get_font(findfont(FontProperties())).get_char_index
    return "".join(c if c == "\n" or (c.isprintable() and has(ord(c))) else "\N{WHITE SQUARE}" for c in text)


def _finish(figure: Any, image: Any, axes: Any, title: str, scale: str, logarithmic: bool) -> None:
    kind = "logarithmic" if logarithmic else "linear"
    extend = "min" if logarithmic else "neither"
    bar = figure.colorbar(image, ax=list(axes), shrink=0.8, aspect=30, pad=0.01, extend=extend)
    bar.set_label(f"{scale}, {kind}, one scale for all panels", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    if title:
        figure.suptitle(_plain(title), fontsize=10, parse_math=False)


def _png(canvas: Any) -> bytes:
    out = io.BytesIO()
    canvas.print_png(out)
    return out.getvalue()
