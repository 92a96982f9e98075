"""What clients are told of songs and cascades: the few fields that most of them need, of the API's many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def brief_song(song: Mapping[str, Any]) -> dict[str, Any]:
    """A song as ``GET /v1/songs/ID`` answers it, in short. ``links`` are paths on the server."""
    request, record = song.get("request") or {}, song.get("record") or {}
    judged, decision = song.get("judged") or {}, song.get("decision") or {}
    return {
        "id": song["id"],
        "state": song["state"],
        "caption": request.get("caption", ""),
        "lyrics": request.get("lyrics", ""),
        "composition": request.get("composition", {}),
        "seed": request.get("seed"),
        "seconds": record.get("seconds"),
        "judged": judged.get("state"),
        "wer": judged.get("wer"),
        "transcript": judged.get("transcript"),
        "error": song.get("error"),
        "judge_reason": judged.get("reason"),
        "decision": decision.get("reason"),
        "comparison": song.get("comparison"),
        "links": song["links"],
    }


def brief_cascade(cascade: Mapping[str, Any]) -> dict[str, Any]:
    """A cascade as ``GET /v1/cascades/ID`` answers it, with the router's decision in its one sentence."""
    decision = cascade.get("decision") or {}
    return {**cascade, "decision": decision.get("reason")}
