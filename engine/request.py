"""What a person asks for: one song. Everything wrong with a request is found here, before any work is done."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from adapters.composition import checked_composition, parse_composition
from adapters.errors import AdapterError
from adapters.fault_places import join_tried
from adapters.field_faults import Wording, refuse_booleans, say_fault
from engine.errors import Fault, RequestError
from engine.lyrics import parse_lyrics
from engine.plan import BPM_LIMITS, MIN_NOTE_FRAMES, Plan

MAX_LYRICS = 5000
MAX_CAPTION = 1000
#: Heads watched in one song: all of the largest model's.
MAX_HEADS = 1024
_SHORTEST_NOTE = MIN_NOTE_FRAMES / 25

_WORDINGS = {
    "caption": Wording(shorter="describe the song in fewer words"),
    "lyrics": Wording(shorter="shorten the lyrics or sing them as several songs"),
    "duration": Wording("too short", "too long", "seconds", "give seconds, for example 12"),
    "tempo": Wording("too slow", "too fast", "beats per minute", "give beats per minute, for example 120"),
    "steps": Wording("too few", "too many"),
    "guidance": Wording("too weak", "too strong"),
    "composition": Wording(
        remedy='give weights by adapter name, for example {"lyrics": 0.6}, or text such as lyrics=0.6'
    ),
    "attention": Wording(remedy='give {"heads": [[2, 0], [3, 1]], "steps": "all"}, null for no maps, or leave it out'),
    "durations": Wording(remedy="give seconds per syllable, for example 0.24"),
    # of prompts, cascades, evaluations and exports, which are told in the same way
    "tags": Wording(shorter="give fewer or shorter ones, as in slow, acoustic"),
    "budget": Wording("too few", "too many", "songs"),
    "retry": Wording(remedy="give adapters, seeds or both, or leave it out"),
    "together": Wording("too few", "too many", "takes"),
    "compositions": Wording(remedy="choose one to eight", shorter="choose one to eight"),
    "genres": Wording("too few", "too many"),
    "seeds": Wording("too few", "too many"),
    "format": Wording(remedy="choose one"),
    "shard_size": Wording(remedy="give a size such as 500MB or 2GB"),
    "adapter": Wording(remedy="names have 1 to 64 of a-z, 0-9 and -"),
}
#: Of what stands in a field, where that is spoken of otherwise than the whole.
_INNER = {"compositions": Wording(remedy="give text such as lyrics=0.6")}
#: Fields that contradict each other, for people who see them by other names.
_TIMING = {
    "duration": "a length in seconds",
    "tempo": "a tempo",
    "durations": "durations of syllables",
    "plan": "a plan",
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

    @field_validator("duration", "tempo", "melody_seed", "seed", "steps", "guidance", mode="before")
    @classmethod
    def _numbers_are_no_booleans(cls, value: Any, about: ValidationInfo) -> Any:
        return refuse_booleans(value, whole=about.field_name in ("melody_seed", "seed", "steps"))

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
            said = f"{' and '.join(_TIMING[name] for name in given)} contradict each other: give one of them"
            raise PydanticCustomError("contradiction", said, {"fields": given})
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
        raise RequestError.of(find_faults(error, SongRequest)) from None


def find_faults(error: ValidationError, model: type[BaseModel], what: str = "a song request") -> list[Fault]:
    """All that is wrong with fields of ``model``, of each place once; see :func:`find_fault`."""
    return [find_fault(one, model, what) for one in join_tried(error.errors(), model)]


def find_fault(error: Mapping[str, Any], model: type[BaseModel] | None = None, what: str = "a song request") -> Fault:
    """One pydantic error as the fault of a field; of one that concerns several, the first of them.

    ``model``: what was to be read, so that both limits are told; ``what``: what the fields are of.
    """
    loc, about = [part for part in error["loc"] if part != "body"], error.get("ctx", {}).get("fields")
    if not loc and about:
        return Fault(about[0], str(error["msg"]), f"{' and '.join(about)} contradict each other: give one of them")
    field = str(loc[0]) if loc else ""
    wording = _INNER.get(field) if len(loc) > 1 else None
    return Fault.of(field, say_fault(error, wording or _WORDINGS.get(field), model, what))


def describe(error: Mapping[str, Any], model: type[BaseModel] | None = None, what: str = "a song request") -> str:
    """One pydantic error as a sentence for a person, with the field's name."""
    return find_fault(error, model, what).told
