"""What a person asks for: one song. Everything wrong with a request is found here, before any work is done."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, field_validator, model_validator

from adapters.composition import checked_composition, parse_composition
from adapters.errors import AdapterError
from engine.errors import Fault, RequestError
from engine.lyrics import parse_lyrics
from engine.plan import BPM_LIMITS, MIN_NOTE_FRAMES, Plan

MAX_LYRICS = 5000
MAX_CAPTION = 1000
#: Heads watched in one song: all of the largest model's.
MAX_HEADS = 1024
_SHORTEST_NOTE = MIN_NOTE_FRAMES / 25

_REMEDIES = {
    "caption": "describe the song in fewer words",
    "lyrics": "shorten the lyrics or sing them as several songs",
    "duration": "leave it out to let the plan choose, or give seconds, for example 12",
    "seed": "give a whole number from 0 to 2147483647, or leave it out",
    "steps": "give a whole number of denoising steps, for example 12",
    "guidance": "give a number from 1 (none) to 10, for example 2",
    "tempo": "give beats per minute, for example 120",
    "melody_seed": "give a whole number from 0 to 2147483647, or leave it out",
    "composition": 'give weights by adapter name, for example {"lyrics": 0.6}, or text such as lyrics=0.6',
    "attention": 'give {"heads": [[2, 0], [3, 1]], "steps": "all"}, null for no maps, or leave it out',
    "durations": "give seconds per syllable, for example 0.24",
    # of prompts and cascades, which are told in the same way
    "tags": "give fewer or shorter ones, as in slow, acoustic",
    "budget": "give the songs to sing at most, 1 to 16, for example 3",
    "stop_wer": "give a word error rate from 0 (every word) to 1 (any song), for example 0.2",
    "retry": "give adapters, seeds or both, or leave it out",
    "together": "give how many takes are sung at once, 1 to 16, or leave it out",
}


class AttentionWish(BaseModel):
    """Which cross-attention maps of a song are wanted.

    ``heads``: pairs of layer and head, by default those that follow the words (the model's alignment heads).
    ``steps``: the last denoising step alone, or all of them, told as the song is sung.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    heads: tuple[tuple[NonNegativeInt, NonNegativeInt], ...] | None = Field(default=None, max_length=MAX_HEADS)
    steps: Literal["last", "all"] = "last"


class SongRequest(BaseModel):
    """One song to sing. Fields left out are chosen by the plan and the model's preset.

    ``tempo`` (beats per minute), ``melody_seed`` and ``durations`` (seconds per syllable) shape the plan; ``plan``
    replaces it by one that was made before. ``composition``: weights of adapters by name, also as text like
    ``lyrics=0.6,nolyrics=0.4``. ``attention``: maps to keep; null keeps none, and then words have no times.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # words
    caption: str = Field(default="", max_length=MAX_CAPTION)
    lyrics: str = Field(default="", max_length=MAX_LYRICS)
    # plan
    duration: float | None = Field(default=None, ge=0.5, le=600)
    tempo: float | None = Field(default=None, ge=BPM_LIMITS[0], le=BPM_LIMITS[1])
    melody_seed: int | None = Field(default=None, ge=0, lt=2**31)
    durations: tuple[float, ...] | None = None
    plan: Plan | None = None
    # adapters
    composition: dict[str, float] = Field(default_factory=dict)
    # sampling
    seed: int = Field(default_factory=lambda: secrets.randbelow(2**31), ge=0, lt=2**31)
    steps: int | None = Field(default=None, ge=1, le=200)
    guidance: float | None = Field(default=None, ge=1, le=10)
    # watching
    attention: AttentionWish | None = Field(default_factory=AttentionWish)

    @field_validator("composition", mode="before")
    @classmethod
    def _composition_as_text(cls, value: Any) -> Any:
        try:
            return parse_composition(value) if isinstance(value, str) else value
        except AdapterError as error:
            raise ValueError(str(error)) from None

    @field_validator("composition")
    @classmethod
    def _composition_can_be(cls, value: dict[str, float]) -> dict[str, float]:
        try:
            return checked_composition(value)
        except AdapterError as error:
            raise ValueError(str(error)) from None

    @field_validator("durations")
    @classmethod
    def _durations_can_be_sung(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        for number, seconds in enumerate(value or (), 1):
            if not _SHORTEST_NOTE <= seconds <= 8:
                raise ValueError(f"syllable {number} would last {seconds:g} s; each may last {_SHORTEST_NOTE:g} to 8 s")
        return value

    @field_validator("lyrics")
    @classmethod
    def _lyrics_hold_words(cls, value: str) -> str:
        without_tags = re.sub(r"\[[^\[\]\n]*\]|\([^()\n]*\)|\{[^{}\n]*\}", "", value)
        if without_tags.strip("\0 \t\r\n") and not parse_lyrics(value).lines:
            shown = without_tags.strip()[:20]
            raise ValueError(
                f"no word in {shown!r} can be sung: write English words in Latin letters, or leave the lyrics empty "
                "for an instrumental"
            )
        return value

    @model_validator(mode="after")
    def _one_way_of_timing(self) -> SongRequest:
        given = [n for n in ("duration", "tempo", "durations", "plan") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other: give one of them")
        return self

    def sung_by(self, composition: Mapping[str, float], seed: int | None = None) -> SongRequest:
        """The same song by another composition, and from other noise where a seed is given.

        Raises:
            RequestError: it is no composition, or no seed.
        """
        noise = {} if seed is None else {"seed": seed}
        return read_request({**self.model_dump(), "composition": composition, **noise})

    def as_json(self) -> dict[str, Any]:
        """All fields that have a value, as :func:`read_request` takes them again."""
        given = self.model_dump(mode="json", exclude_none=True)
        if self.attention is None:  # which is another wish than the one that stands where nothing is said
            given["attention"] = None
        return given


def read_request(fields: Mapping[str, Any]) -> SongRequest:
    """A request from untrusted fields.

    Raises:
        RequestError: one sentence per wrong field, naming the value, the limit and the remedy.
    """
    try:
        return SongRequest.model_validate(dict(fields))
    except ValidationError as error:
        raise RequestError.of(list(map(find_fault, error.errors()))) from None


def find_fault(error: Mapping[str, Any]) -> Fault:
    """One pydantic error as the fault of a field; of one that concerns several, the first that it names."""
    name = str(next((part for part in error["loc"] if part != "body"), ""))
    message = describe(error)
    return Fault(name or message.split(maxsplit=1)[0], message)


def describe(error: Mapping[str, Any]) -> str:
    """One pydantic error as a sentence for a person."""
    name = ".".join(str(part) for part in error["loc"] if part != "body")
    kind, value, limits = error["type"], error.get("input"), error.get("ctx", {})
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"{name} is not a field of a song request: leave it out"
    if kind == "string_too_long":
        message = f"{name} has {len(str(value)):,} characters, at most {limits['max_length']:,} are allowed"
    elif kind == "value_error":
        return f"{name}: {message}" if name else message
    else:
        message = f"{name} is {str(value)[:40]!r}: {message[:1].lower()}{message[1:]}"
    remedy = _REMEDIES.get(name.partition(".")[0])
    return f"{message}; {remedy}" if remedy else message
