"""Cross-attention maps small enough to stream and to keep: pooled over time, lyric tokens alone, sums told beside them.

Also the record of a song's maps that lies beside it on disk. Knows nothing of how maps are captured.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine.conditioning import TokenKind
from engine.errors import ChoirmasterError
from engine.lyric_map import LyricMap, MappedToken

MAX_BINS = 256


class RecordError(ChoirmasterError):
    """A file of attention maps cannot be read."""


@dataclass(frozen=True, eq=False)
class AttentionFrame:
    """What some heads attend to at one denoising step, by time bin.

    ``heads``: layer and head, as in ``maps`` float16 [heads, bins, lyric tokens]; ``lyric_mass``: probability that
    falls on words; ``kept_mass``: on all lyric tokens, the rest (timbre, caption) is not kept; float16 [heads, bins].
    """

    step: int
    heads: tuple[tuple[int, int], ...]
    maps: NDArray[np.float16]
    lyric_mass: NDArray[np.float16]
    kept_mass: NDArray[np.float16]

    @property
    def nbytes(self) -> int:
        return self.maps.nbytes + self.lyric_mass.nbytes + self.kept_mass.nbytes


def bin_edges(frames: int, max_bins: int = MAX_BINS) -> NDArray[np.int64]:
    """First frame of each bin, and the end: at most ``max_bins`` bins whose sizes differ by at most one frame."""
    bins = max(1, min(frames, max_bins))
    return np.arange(bins + 1, dtype=np.int64) * frames // bins


def pool_frame(
    step: int,
    heads: Sequence[tuple[int, int]],
    probabilities: torch.Tensor,
    kinds: torch.Tensor,
    frames: int,
    max_bins: int = MAX_BINS,
) -> AttentionFrame:
    """Average maps over time and keep the lyric tokens.

    Args:
        probabilities: [heads, frames, tokens] float32 over all tokens, each row of sum one.
        kinds: :class:`TokenKind` of each token; lyric tokens come first.
        frames: how many of the frames belong to the song; the others fill up a batch.
    """
    kinds = kinds.cpu()
    lyric = (kinds == TokenKind.WORD) | (kinds == TokenKind.STRUCTURE)
    tokens = int(lyric.sum())
    if not bool(lyric[:tokens].all()):
        raise ValueError("lyric tokens must come first among the conditioning tokens")
    pooled = _pool(probabilities[:, :frames, :tokens], bin_edges(frames, max_bins))
    summed = torch.stack([kinds[:tokens] == TokenKind.WORD, lyric[:tokens]], -1).to(pooled)
    # rounded only after all sums; one copy off the device
    found = torch.cat([pooled @ summed, pooled], -1).half().cpu().numpy()
    return AttentionFrame(step, tuple(heads), found[..., 2:], found[..., 0], found[..., 1])


def _pool(maps: torch.Tensor, edges: NDArray[np.int64]) -> torch.Tensor:
    """Mean of [heads, frames, tokens] over the frames of each bin."""
    heads, frames, tokens = maps.shape
    sizes = torch.from_numpy(np.diff(edges)).to(maps.device)
    if frames == len(sizes):
        return maps.float()
    bin_of = torch.repeat_interleave(sizes, output_size=frames)
    rows = (
        maps.float().transpose(0, 1).reshape(frames, heads * tokens)
    )  # adding whole rows is what index_add is fast at
    sums = rows.new_zeros(len(sizes), heads * tokens).index_add_(0, bin_of, rows)
    return (sums / sizes[:, None]).view(-1, heads, tokens).transpose(0, 1)


def merge_words(maps: NDArray[np.floating[Any]], lyric_map: LyricMap) -> NDArray[np.float32]:
    """Maps [..., lyric tokens] to [..., words]: the sum over the tokens of each word."""
    members = lyric_map.word_of_tokens[:, None] == np.arange(len(lyric_map.words))
    merged: NDArray[np.float32] = np.asarray(maps, np.float32) @ members.astype(np.float32)
    return merged


def thin_steps(recorded: Sequence[AttentionFrame], megabytes: float) -> tuple[AttentionFrame, ...]:
    """As many steps as fit into ``megabytes``, evenly spaced from the first to the last, and always the last.

    May be used again and again while a song grows.
    """
    if sum(frame.nbytes for frame in recorded) <= megabytes * 1e6:
        return tuple(recorded)
    count = max(1, int(megabytes * 1e6 // max(frame.nbytes for frame in recorded)))
    steps = np.array([frame.step for frame in recorded[:-1]], float)
    wanted = np.linspace(recorded[0].step, recorded[-1].step, count)[:-1]
    kept = linear_sum_assignment(abs(wanted[:, None] - steps))[1]
    return (*(recorded[at] for at in sorted(kept)), recorded[-1])


@dataclass(frozen=True, eq=False)
class AttentionRecord:
    """The maps of a song. ``frames`` at ``frame_rate`` per second is the song's length; ``recorded``: steps in order,
    all of the same heads.
    """

    lyric_map: LyricMap
    frame_rate: float
    frames: int
    recorded: tuple[AttentionFrame, ...]

    @property
    def heads(self) -> tuple[tuple[int, int], ...]:
        return self.recorded[0].heads if self.recorded else ()

    @property
    def edges(self) -> NDArray[np.float64]:
        """Seconds at which the time bins begin, and the end."""
        bins = self.recorded[0].maps.shape[1] if self.recorded else MAX_BINS
        return bin_edges(self.frames, bins) / self.frame_rate

    def words(self, recorded: int = -1) -> NDArray[np.float32]:
        """One recorded step's maps by word, [heads, bins, words]."""
        return merge_words(self.recorded[recorded].maps, self.lyric_map)

    def thin(self, megabytes: float) -> AttentionRecord:
        """The record with no more steps than fit; see :func:`thin_steps`."""
        return replace(self, recorded=thin_steps(self.recorded, megabytes))

    def save_bytes(self) -> bytes:
        """A compressed npz without pickle.

        ``maps`` float16 [steps, heads, bins, tokens], ``lyric_mass`` and ``kept_mass`` float16 [steps, heads, bins];
        ``steps`` [steps], ``heads`` [heads, 2] (layer, head), ``edges`` in seconds [bins + 1], ``frames``,
        ``frame_rate``; ``token_text``, ``token_kind`` (1 word, 2 structure), ``token_word`` and ``token_line`` (-1 for
        none) [tokens]; ``words`` [words] and ``lines`` [words], the line of each word.
        """
        tokens, heads = self.lyric_map.tokens, len(self.heads)
        bins = len(self.edges) - 1
        line_of = [number for number, words in enumerate(self.lyric_map.lines) for _ in words]
        out = io.BytesIO()
        np.savez_compressed(
            out,
            maps=_stack([f.maps for f in self.recorded], (heads, bins, len(tokens))),
            lyric_mass=_stack([f.lyric_mass for f in self.recorded], (heads, bins)),
            kept_mass=_stack([f.kept_mass for f in self.recorded], (heads, bins)),
            steps=np.array([f.step for f in self.recorded], np.int32),
            heads=np.array(self.heads, np.int32).reshape(heads, 2),
            edges=self.edges,
            frames=np.array(self.frames),
            frame_rate=np.array(self.frame_rate),
            token_text=np.array([t.text for t in tokens], np.str_),
            token_kind=np.array([t.kind for t in tokens], np.int8),
            token_word=np.array([t.word for t in tokens], np.int32),
            token_line=np.array([t.line for t in tokens], np.int32),
            words=np.array(self.lyric_map.words, np.str_),
            lines=np.array(line_of, np.int32),
        )
        return out.getvalue()


def load_record(content: bytes) -> AttentionRecord:
    """What :meth:`AttentionRecord.save_bytes` wrote.

    Raises:
        RecordError: it is something else, or damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return _record({name: file[name] for name in file.files})
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordError(
            f"these {len(content)} bytes are no attention maps of Choirmaster ({error}): sing the song again"
        ) from error


def _record(arrays: dict[str, NDArray[Any]]) -> AttentionRecord:
    maps, words = arrays["maps"], tuple(map(str, arrays["words"]))
    steps, heads, bins, tokens = maps.shape
    names = tuple((int(layer), int(head)) for layer, head in arrays["heads"])
    columns = [arrays[f"token_{column}"] for column in ("text", "kind", "word", "line")]
    found = (len(arrays["steps"]), len(names), len(arrays["edges"]) - 1, *map(len, columns), len(arrays["lines"]))
    if found != (steps, heads, bins, *[tokens] * 4, len(words)):
        raise ValueError("its parts are of different sizes")
    mapped = (MappedToken(str(t), TokenKind(int(k)), int(w), int(n)) for t, k, w, n in zip(*columns, strict=True))
    count = int(arrays["lines"].max(initial=-1)) + 1
    lines = tuple(tuple(map(int, np.flatnonzero(arrays["lines"] == line))) for line in range(count))
    recorded = tuple(
        AttentionFrame(int(step), names, *parts)
        for step, *parts in zip(arrays["steps"], maps, arrays["lyric_mass"], arrays["kept_mass"], strict=True)
    )
    lyric_map = LyricMap(tuple(mapped), words, lines)
    return AttentionRecord(lyric_map, float(arrays["frame_rate"]), int(arrays["frames"]), recorded)


def _stack(parts: Sequence[NDArray[np.float16]], shape: tuple[int, ...]) -> NDArray[np.float16]:
    return np.stack(parts) if parts else np.empty((0, *shape), np.float16)
