"""One song under several compositions, from the same noise: what every attention head does at the last step.

Writes the maps as NPZ and as pictures, and tells the figures. Does not judge what is sung, nor keep its sound.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adapters.composition import Composition, format_composition
from adapters.files import write_bytes_atomically
from engine.errors import ChoirmasterError
from engine.request import AttentionWish
from eval.heads import Alignment, HeadMeasures, lyric_only, measure_alignment, measure_heads
from eval.results import cell_name

if TYPE_CHECKING:
    from rich.table import Table

    from engine.request import SongRequest
    from engine.singer import Singer

Heads = tuple[tuple[int, int], ...]


class LookError(ChoirmasterError):
    """The attention of a song cannot be shown."""


@dataclass(frozen=True)
class Voice:
    """The song as one composition sang it.

    ``maps``: attention among the words alone, [heads, bins, words]; ``discarded``: the probability on everything else,
    [heads, bins]; ``mean`` [bins, words] and ``mean_discarded``: the same of the mean of the followed heads.
    """

    maps: NDArray[np.float32]
    discarded: NDArray[np.float32]
    measures: tuple[HeadMeasures, ...]
    mean: NDArray[np.float32]
    mean_discarded: float
    alignment: Alignment


@dataclass(frozen=True)
class Look:
    """All compositions of one song. ``edges``: seconds at which the bins begin, and the end.

    ``aligned``: the heads that follow the words; where the model names none it is empty, and means are over all heads.
    """

    name: str
    seed: int
    words: tuple[str, ...]
    edges: NDArray[np.float64]
    heads: Heads
    aligned: Heads
    voices: dict[str, Voice]

    @property
    def title(self) -> str:
        return f"{self.name}, seed {self.seed}"


def look_at(
    singer: Singer,
    request: SongRequest,
    compositions: Sequence[Composition],
    name: str,
    sung: Callable[[str], None] = lambda composition: None,
) -> Look:
    """Sing ``request`` by each composition and measure every head.

    Args:
        name: what the song is called.
        sung: told the name of each composition once it has sung.

    Raises:
        LookError: the lyrics hold no word.
        RequestError: the request cannot be sung by this model, or an adapter is not there; before anything is sung.
        AdapterError: an adapter is damaged, or was made for another model.
    """
    lyric_map = singer.lyric_map(request.lyrics)
    if not lyric_map.words:
        raise LookError(f"the lyrics {request.lyrics[:40]!r} hold no word that attention could be on: give some lines")
    heads = singer.model.heads
    aligned = singer.model.aligned_heads
    wish = {"attention": AttentionWish(heads=heads)}
    requests = {
        format_composition(c): request.model_copy(update={**wish, "composition": dict(c)}) for c in compositions
    }
    for wanted in requests.values():
        singer.preview(wanted)
    voices: dict[str, Voice] = {}
    edges: NDArray[np.float64] = np.empty(0)
    for composition, wanted in requests.items():
        record = singer.sing(wanted).attention
        assert record is not None  # it was wished for
        frame, edges = record.recorded[-1], record.edges
        followed = frame.maps[_followed(heads, aligned)].astype(np.float32)
        rate = (len(edges) - 1) / float(edges[-1])
        alignment = measure_alignment(followed, lyric_map, rate, frames=record.frames)
        maps, discarded = lyric_only(frame.maps, lyric_map)
        mean, left_out = lyric_only(followed.mean(0, keepdims=True), lyric_map)
        measures = tuple(measure_heads(frame, lyric_map))
        voices[composition] = Voice(maps, discarded, measures, mean[0], float(left_out.mean()), alignment)
        sung(composition)
    return Look(name, request.seed, lyric_map.words, edges, heads, aligned, voices)


def write_look(look: Look, folder: Path, logarithmic: bool = False) -> list[Path]:
    """Write the NPZ, the picture of all compositions, and one of all heads for each; their paths, in this order.

    Raises:
        LookError: they cannot be written.
    """
    from eval.panels import draw_compositions, draw_heads

    stem = cell_name(look.name, look.seed, "attention")
    which = "mean of the heads that follow the words" if look.aligned else "mean of all heads"
    side_by_side = draw_compositions(
        {name: voice.mean for name, voice in look.voices.items()},
        look.words,
        look.edges,
        {name: voice.mean_discarded for name, voice in look.voices.items()},
        title=f"{look.title}: {which}",
        logarithmic=logarithmic,
    )
    files = {f"{stem}.npz": _pack(look), f"{stem}.png": side_by_side}
    for name, voice in look.voices.items():
        title = f"{look.title}, {name}"
        files[f"{cell_name(look.name, look.seed, name)}.heads.png"] = draw_heads(
            voice.maps, look.heads, look.words, look.edges, look.aligned, title=title, logarithmic=logarithmic
        )
    try:
        for file, content in files.items():
            write_bytes_atomically(folder / file, content)
    except OSError as error:
        raise LookError(f"{folder} cannot be written into ({error.strerror or error}): choose another --out") from error
    return [folder / file for file in files]


def look_table(look: Look) -> Table:
    """A row for each composition; means are over the followed heads."""
    from rich import box
    from rich.table import Table

    over = "the heads that follow the words" if look.aligned else "all heads"
    table = Table(
        title=f"{look.title}: means over {over}; in brackets what chance gives", title_justify="left", box=box.MARKDOWN
    )
    table.add_column("composition")
    for column in ("lyric mass", "elsewhere", "entropy, nats"):
        table.add_column(column, justify="right")
    table.add_column("most often dominant, of all heads")
    table.add_column("best diagonal")
    table.add_column("alignment score", justify="right")
    for name, voice in look.voices.items():
        followed = [voice.measures[at] for at in _followed(look.heads, look.aligned)]
        table.add_row(
            name,
            _beside(_mean(m.lyric_mass for m in followed), _mean(m.lyric_mass_null for m in followed)),
            f"{voice.mean_discarded:.3f}",
            _beside(_mean(m.entropy for m in followed), _mean(m.entropy_null for m in followed)),
            _dominance(voice.measures),
            _best(voice.measures),
            _beside(*voice.alignment),
        )
    return table


def _pack(look: Look) -> bytes:
    """A compressed NPZ without pickle.

    ``maps`` float16 [compositions, heads, bins, words] and ``discarded`` float16 [compositions, heads, bins];
    ``edges`` [bins + 1]; ``words`` [words]; ``heads`` and ``aligned`` (layer, head); ``compositions``;
    ``alignment`` [compositions, 2] (score, null); every measure of ``HeadMeasures`` under its name, [compositions,
    heads], NaN where there is none.
    """
    voices = look.voices.values()
    measures: dict[str, Any] = {}
    for field in fields(HeadMeasures):
        if field.name not in ("layer", "head"):
            values = [[getattr(measure, field.name) for measure in voice.measures] for voice in voices]
            measures[field.name] = np.array(values, np.str_ if field.type == "str" else np.float64)
    out = io.BytesIO()
    np.savez_compressed(
        out,
        maps=np.stack([voice.maps for voice in voices]).astype(np.float16),
        discarded=np.stack([voice.discarded for voice in voices]).astype(np.float16),
        edges=look.edges,
        words=np.array(look.words, np.str_),
        heads=np.array(look.heads, np.int32).reshape(-1, 2),
        aligned=np.array(look.aligned, np.int32).reshape(-1, 2),
        compositions=np.array(list(look.voices), np.str_),
        alignment=np.array([voice.alignment for voice in voices], np.float64),
        **measures,
    )
    return out.getvalue()


def _followed(heads: Heads, aligned: Heads) -> list[int]:
    """Numbers of the heads that means are taken over."""
    return [at for at, head in enumerate(heads) if head in aligned or not aligned]


def _mean(values: Any) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _beside(value: float | None, null: float | None) -> str:
    return "–" if value is None or null is None else f"{value:.3f} ({null:.3f})"


def _dominance(measures: Sequence[HeadMeasures]) -> str:
    """The token that is dominant in most heads, in how many, and its mean share there."""
    counts = Counter(m.dominant_token for m in measures if m.dominant is not None)
    if not counts:
        return "–"
    token, heads = counts.most_common(1)[0]
    share = _mean(m.dominant for m in measures if m.dominant_token == token)
    return f"{token} in {heads} of {len(measures)}, {share or 0:.0%} of the time"


def _best(measures: Sequence[HeadMeasures]) -> str:
    found = [m for m in measures if m.diagonal is not None]
    if not found:
        return "–"
    best = max(found, key=lambda m: m.diagonal or 0.0)
    return f"layer {best.layer} head {best.head}: {_beside(best.diagonal, best.diagonal_null)}"
