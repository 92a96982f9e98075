"""Which stored songs are asked for, and what is known of a song to find it by. Knows no disk and no database."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from adapters.composition import format_composition
from adapters.errors import AdapterError


class SongQuery(BaseModel):
    """Songs to list; every field given narrows them down.

    ``text`` is part of the caption or the lyrics, in any case. ``adapter`` is the name of one that sings in the song,
    at whatever weight, or ``base`` for songs without any. ``compared``: whether it is part of a comparison or cascade,
    ``comparison``: of which. ``judged``: whether a word error rate is known. Both
    rates are inclusive, and so is ``since``; ``until`` is not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # what was asked for
    text: str | None = Field(default=None, max_length=1000)
    adapter: str | None = Field(default=None, pattern="^[a-z0-9-]{1,64}$")
    comparison: str | None = Field(default=None, min_length=1, max_length=64)
    compared: bool | None = None
    # what the judge heard
    judged: bool | None = None
    max_wer: float | None = Field(default=None, ge=0)
    min_wer: float | None = Field(default=None, ge=0)
    # when it was sung
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


def summarise(song_id: str, record: Mapping[str, Any]) -> dict[str, str | float | None]:
    """What an index keeps of a song's JSON, which anybody may have written: nothing in it is taken for granted."""
    request, reading, judged = (_mapping(record.get(name)) for name in ("request", "reading", "judged"))
    composition, adapters = _mapping(request.get("composition")), _mapping(record.get("adapters"))
    names = sorted({str(name) for name in (*composition, *adapters)})
    return {
        "id": song_id,
        "created": timestamp(record.get("created")),
        "caption": fold(_text(request.get("caption")) or ""),
        "lyrics": fold(_text(request.get("lyrics")) or ""),
        "seconds": _number(record.get("seconds")),
        "genre": _text(reading.get("genre")),
        "composition": _composition(composition),
        "adapters": _encodable("," + "".join(f"{name}," for name in names)),
        "comparison": _text(record.get("comparison")),
        "wer": _number(judged.get("wer")),
    }


def fold(text: str) -> str:
    """A text in the form in which texts are compared: no difference of case, nor of how accents are encoded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def timestamp(created: object) -> float:
    """Seconds since 1970 of a time as songs hold it, UTC where it names no zone; 0 where it is none."""
    try:
        found = datetime.fromisoformat(str(created))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _composition(given: Mapping[str, Any]) -> str | None:
    try:
        return format_composition({str(name): float(weight) for name, weight in given.items()})
    except (AdapterError, TypeError, ValueError, OverflowError):
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _text(value: object) -> str | None:
    return _encodable(value) if isinstance(value, str) else None


def _encodable(text: str) -> str:
    """Lone surrogates, which JSON can carry and UTF-8 cannot, written out."""
    return text.encode("utf-8", "backslashreplace").decode()
