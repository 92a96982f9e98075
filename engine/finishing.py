"""The end of a song: from its last latents to sound, and onto the disk. What nobody wants any more is not stored."""

from __future__ import annotations

from typing import Any

from engine.errors import Cancelled
from engine.jobs import Job
from engine.register import Register
from engine.singer import Singer
from engine.songs import SongStore


class Finisher:
    """Decodes and stores songs; without a store, and those of the background, they are kept in their jobs alone."""

    def __init__(self, register: Register, store: SongStore | None, model: str) -> None:
        self._register, self._store, self._model = register, store, model

    def finish(self, job: Job, singer: Singer) -> None:
        """End a job whose steps are all taken: done, or failed with what went wrong."""
        generation, job.generation = job.generation, None
        assert generation is not None
        store = None if job.background else self._store
        try:
            _check_wanted(job)
            song = singer.finish(generation)
            _check_wanted(job)
            if store is not None:
                store.save(job.id, song, self._model, _within(job))
        except Exception as error:
            self._register.fail(job, error)
        else:
            if not self._register.end(job, "done", None, song) and store is not None:
                store.delete(job.id)  # it timed out while it was being written


def _within(job: Job) -> dict[str, Any]:
    """What a song's JSON says of the comparison it is part of."""
    if job.comparison is None:
        return {}
    return {"comparison": job.comparison, "comparison_place": job.place_in_comparison}


def _check_wanted(job: Job) -> None:
    if job.unwanted:
        raise Cancelled("the song was cancelled")
