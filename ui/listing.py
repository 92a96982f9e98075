"""Which songs of the server are listed: the same questions asked of those on disk and of those still in the making."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.engine import Job, State
from engine.song_query import SongQuery, fold


@dataclass(frozen=True)
class Listing:
    """Which songs to list; without a state those that wait, those being made, and those on disk."""

    query: SongQuery = field(default_factory=SongQuery)
    state: State | None = None


def is_asked_for(query: SongQuery, job: Job) -> bool:
    """Whether a song that is not on disk is one of those a query asks for, by the same rules as those on disk."""
    if query.judged or query.max_wer is not None or query.min_wer is not None:
        return False
    asked, text = job.request, None if query.text is None else fold(query.text)
    if text is not None and text not in fold(asked.caption) and text not in fold(asked.lyrics):
        return False
    if query.adapter is not None and query.adapter not in (asked.composition or {"base": 1.0}):
        return False
    if query.comparison is not None and query.comparison != job.comparison:
        return False
    if query.compared is not None and query.compared != (job.comparison is not None):
        return False
    early = query.since is not None and job.created < query.since.timestamp()
    return not early and (query.until is None or job.created < query.until.timestamp())
