"""How one song stands, in plain values: what the API answers and the pages show. Knows jobs and records, no service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from engine.engine import ENDED, Job, State
from ui.choices import NOTHING, Choice, read_choice
from ui.listening import Verdict
from ui.stored import number, plain


@dataclass(frozen=True)
class Standing:
    """How one song stands. ``place``: its place among the songs that wait, from 1; 0 where it does not wait;
    ``comparison_place``: its place within its comparison, from 0; ``choice``: why it is sung by what it is."""

    id: str
    state: State
    request: dict[str, Any]
    step: int = 0
    steps: int = 0
    place: int = 0
    created: str | None = None
    comparison: str | None = None
    comparison_place: int | None = None
    error: str | None = None
    judged: Verdict | None = None
    record: dict[str, Any] | None = None
    choice: Choice = NOTHING

    @property
    def going(self) -> bool:
        """Whether it waits or is being made."""
        return self.state not in ENDED

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen: sung and judged, or ended otherwise."""
        return not self.going and (self.judged or {}).get("state") not in ("waiting",)

    def as_json(self) -> dict[str, Any]:
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "choice"}
        return {**told, **self.choice.as_json(), "links": links(self.id)}


def links(song_id: str) -> dict[str, str]:
    """Where a song is found over HTTP."""
    own = f"/v1/songs/{song_id}"
    return {"self": own, **{part: f"{own}/{part}" for part in ("events", "audio", "attention", "karaoke")}}


def of_job(job: Job, place: int, choice: Choice = NOTHING) -> Standing:
    """The standing of a song that is not on disk."""
    return Standing(
        job.id,
        job.state,
        job.request.as_json(),
        job.step,
        job.steps,
        place,
        datetime.fromtimestamp(job.created, UTC).isoformat(timespec="seconds"),
        job.comparison,
        job.place_in_comparison,
        job.error,
        choice=choice,
    )


def of_record(record: Mapping[str, Any], judged: Verdict, choice: Choice | None = None) -> Standing:
    """The standing of a stored song; the choice is the stored one unless another is given.

    Its record may have been changed by hand: nothing in it is taken for granted.
    """
    stored: dict[str, Any] = plain(dict(record))
    sampling, request, comparison = stored.get("sampling"), stored.get("request"), stored.get("comparison")
    steps = int(number(sampling.get("steps"))) if isinstance(sampling, dict) else 0
    place = stored.get("comparison_place")
    return Standing(
        str(stored.get("id")),
        "done",
        dict(request) if isinstance(request, dict) else {},
        steps,
        steps,
        created=None if stored.get("created") is None else str(stored["created"]),
        comparison=None if comparison is None else str(comparison),
        comparison_place=None if place is None else int(number(place)),
        judged=plain(judged),
        record=stored,
        choice=read_choice(record) if choice is None else choice,
    )
