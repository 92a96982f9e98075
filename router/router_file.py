"""A fitted router as a JSON file: what it was fitted on, how, and what was found; never code, never a pickle.

The file holds the training data and the settings that were chosen, so that reading it solves the same equations again
without searching. Knows neither features nor policies; whether they still fit it, ``router.fitting`` finds out.

Arrays over fitted prompts (P of them, then V votes) and compositions (C). A gain or a noise that is not known is null.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from adapters.composition import parse_composition
from adapters.errors import AdapterError
from adapters.field_faults import say_first
from adapters.files import write_text_atomically
from router.errors import RouterError
from router.findings import Findings

VERSION = 1
#: Bytes; 300 prompts take less than one million.
MOST_BYTES = 64_000_000
#: Tags, and what is put in brackets between the words: neither is sung as written, nor judged.
_UNSUNG = re.compile(r"\[[^\[\]\n]*\]|\([^()\n]*\)|\{[^{}\n]*\}")
_REMEDY = "`choirmaster fit TABLE --out {path}` makes one"

Row = list[Annotated[float, Field(allow_inf_nan=False)] | None]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """A model by the name it was asked for and the fingerprint of what was found under it; both may be unknown."""

    name: str
    fingerprint: str


class PolicyPart(_Part):
    """Which policy, and the settings that were chosen for it."""

    name: str
    settings: dict[str, Any]


class Halves(_Part):
    """An array of half-precision numbers, little-endian, row by row, as base64."""

    shape: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    float16: str

    @model_validator(mode="after")
    def _check(self) -> Halves:
        self.array()
        return self

    def array(self) -> NDArray[np.float32]:
        """The numbers, [rows, columns].

        Raises:
            ValueError: they are damaged.
        """
        found = np.frombuffer(base64.b64decode(self.float16, validate=True), dtype="<f2")
        if found.size != self.shape[0] * self.shape[1]:
            raise ValueError(f"there are {found.size} numbers for a shape of {self.shape[0]} by {self.shape[1]}")
        if not np.isfinite(found).all():
            raise ValueError("some numbers are not finite")
        return found.reshape(self.shape).astype(np.float32)


def halve(values: NDArray[np.float32]) -> Halves:
    """An array [rows, columns] as it is stored."""
    data = base64.b64encode(values.astype("<f2").tobytes()).decode()
    return Halves(shape=(values.shape[0], values.shape[1]), float16=data)


class FittedPrompt(_Part):
    """A measured prompt. ``lyrics``: :func:`name_lyrics` of them, ``lines``: :func:`name_lines`, to know them again.
    ``wer``: mean capped WER by composition, of ``songs`` songs each; ``level`` is the default's, as it was fitted."""

    id: str
    genre: str
    caption: str
    tags: tuple[str, ...]
    lyrics: str
    songs: Annotated[int, Field(ge=1)]
    wer: list[Number]
    level: Number
    lines: tuple[str, ...] = ()


class VotesPart(_Part):
    """What people's picks had to say in fitting: ``weight`` of each, how many took part, why others did not."""

    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    used: Annotated[int, Field(ge=0)]
    skipped: dict[str, int] = {}


class Training(_Part):
    """What the policy is solved from: features of prompts and then votes, and targets beside them."""

    sentences: Halves  # [P + V, width]
    lyric_names: tuple[str, ...]
    lyrics: list[list[Number]]  # [P + V, lyric statistics]
    gains: list[Row]  # [P + V, C]
    noise: list[Row]  # [P + V, C], variances
    low: list[Number]  # [C], quantile of measured less predicted WER of unseen prompts
    high: list[Number]


class RouterFile(_Part):
    """All of a fitted router."""

    version: Literal[1]
    made: str
    model: Source
    adapters: dict[str, str]
    sentences: Source
    judge: str
    policy: PolicyPart
    default: str
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    compositions: tuple[str, ...]
    signal: bool
    mixing: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None  # temperature of blends, null: none
    prompts: tuple[FittedPrompt, ...]
    training: Training
    votes: VotesPart | None = None
    findings: Findings

    @field_validator("compositions")
    @classmethod
    def _check_compositions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                parse_composition(name)
            except AdapterError as error:
                raise ValueError(str(error)) from None
        if len(set(names)) < max(len(names), 2):
            raise ValueError("give two compositions or more, each once")
        return names

    @model_validator(mode="after")
    def _check_shapes(self) -> RouterFile:
        rows = len(self.prompts) + (self.votes.used if self.votes else 0)
        training, width = self.training, len(self.compositions)
        if self.default not in self.compositions:
            raise ValueError(f"the default {self.default!r} is none of the compositions")
        if not self.prompts:
            raise ValueError("there is no fitted prompt")
        _check_grid("sentences", training.sentences.array(), rows, None)
        _check_grid("lyrics", training.lyrics, rows, len(training.lyric_names))
        _check_grid("gains", training.gains, rows, width)
        _check_grid("noise", training.noise, rows, width)
        _check_grid("wer", [p.wer for p in self.prompts], len(self.prompts), width)
        _check_grid("low and high", [training.low, training.high], 2, width)
        return self


def _check_grid(name: str, grid: Sequence[Any] | NDArray[Any], rows: int, columns: int | None) -> None:
    if len(grid) != rows:
        raise ValueError(f"{name} has {len(grid)} rows, and {rows} belong there")
    if columns is not None and (odd := [len(row) for row in grid if len(row) != columns]):
        raise ValueError(f"{name} has a row of {odd[0]} values, and {columns} belong there")


def name_lyrics(lyrics: str) -> str:
    """A short name of the words of lyrics, whatever their tags, ad-libs, spaces and punctuation; empty where there are
    none."""
    words = re.findall(r"\w+", _UNSUNG.sub("", lyrics).casefold())
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16] if words else ""


def name_lines(lyrics: str) -> tuple[str, ...]:
    """The same of every line that has words, each once."""
    return tuple(dict.fromkeys(name[:8] for line in lyrics.splitlines() if (name := name_lyrics(line))))


def write_router_file(path: Path, file: RouterFile) -> None:
    """Write all of it or nothing.

    Raises:
        RouterError: a figure in it is none, the disk is full or the place cannot be written; what stood there still
            does.
    """
    try:
        text = json.dumps(file.model_dump(mode="json"), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise RouterError(
            f"the router {path} is not written, because a figure of it is not a number ({error}): see that the table's "
            "rates are finite and fit again"
        ) from error
    try:
        write_text_atomically(path, text + "\n")
    except OSError as error:
        raise RouterError(
            f"the router {path} cannot be written ({error.strerror or error}): free some space or choose another --out"
        ) from error


def read_router_file(path: Path) -> RouterFile:
    """The router in a file.

    Raises:
        RouterError: there is none, it is of another version, or damaged.
    """
    remedy = _REMEDY.format(path=path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise RouterError(f"{path} holds {size:,} bytes, a router at most {MOST_BYTES:,}: it is none; {remedy}")
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RouterError(f"there is no router {path}: {remedy}") from None
    except OSError as error:
        raise RouterError(f"the router {path} cannot be read ({error.strerror or error}): give a file") from error
    except (ValueError, RecursionError) as error:
        raise RouterError(f"{path} is no router, or damaged ({str(error)[:120]}): {remedy}") from error
    if not isinstance(found, dict) or "version" not in found:
        raise RouterError(f"{path} is JSON, but no router: {remedy}")
    if found["version"] != VERSION:
        raise RouterError(
            f"{path} is a router of version {str(found['version'])[:20]}, this Choirmaster reads version {VERSION}: "
            f"{remedy}"
        )
    try:
        return RouterFile.model_validate(found)
    except ValidationError as error:
        raise RouterError(f"the router {path} is damaged ({say_first(error)[:240]}): {remedy}") from error
