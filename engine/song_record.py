"""What is written down of a song beside its sound: all that is needed to sing it again, and what came of it.

Knows a song, not where it is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.song import Song


def describe_song(song_id: str, song: Song, model: str) -> dict[str, Any]:
    """The record of a song that is stored now under this id; ``model`` is the name of the model that sang it."""
    return {
        "id": song_id,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "model": model,
        "request": song.request.as_json(),
        "plan": None if song.plan is None else song.plan.model_dump(mode="json"),
        "reading": asdict(song.reading),
        "sampling": asdict(song.sampling),
        "adapters": song.adapters,
        "seconds": round(song.seconds, 3),
        "sampling_rate": song.sampling_rate,
        "spent": {k: round(v, 3) for k, v in song.spent.items()},
        "attention": song.attention is not None,
        "karaoke": None if song.karaoke is None else song.karaoke.model_dump(mode="json"),
    }


def as_text(record: dict[str, Any]) -> str:
    """A record as it stands in its file."""
    return json.dumps(record, indent=1, ensure_ascii=False)
