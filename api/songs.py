"""Songs over HTTP: ask, list, show, remove. Knows the service ``ui.songs``, and not how a song is sung."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BeforeValidator
from starlette.concurrency import run_in_threadpool

from api.answers import Removal, Song, SongList, SongState, Verdict
from api.bodies import read_json, read_wish
from api.places import with_clean_sentences
from api.problems import Problem
from api.schema import SONG_EXAMPLES, body, errors
from engine.engine import Job
from engine.song_query import SongQuery
from engine.trash import PlaceTaken
from ui.listing import Listing
from ui.songs import Songs
from ui.standings import Standing

SongId = Annotated[str, Path(description="8 to 32 hexadecimal digits.", examples=["0123456789abcdef"])]
#: Seconds between two looks at whether a client that waits is still there.
LOOK_EVERY = 1.0
STATUS_OF = {"failed": 500, "cancelled": 409}
_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where the song is found."}}


def _no_number(given: object) -> object:
    """Times are written out; a number could be seconds or milliseconds since anything."""
    if isinstance(given, str) and given.strip().lstrip("+-").replace(".", "", 1).isdigit():
        raise ValueError(f"{given[:40]} is no time: write it out, such as 2026-03-01T12:00:00Z")
    return given


_Time = Annotated[datetime, BeforeValidator(_no_number)]


def no_song(song_id: str) -> Problem:
    """The answer where there is no such song."""
    return Problem(404, f"there is no song {song_id[:40]!r}: GET /v1/songs lists those there are")


def shown(standing: Standing) -> dict[str, Any]:
    """A standing as the API tells it: without a word on where files lie."""
    told = with_clean_sentences(standing.as_json())
    if standing.judged is not None:
        told["judged"] = Verdict.model_validate(with_clean_sentences(standing.judged)).model_dump()
    if standing.record is not None and isinstance(kept := standing.record.get("judged"), dict):
        told["record"] = {**standing.record, "judged": with_clean_sentences(kept)}
    return told


def song_routes(songs: Songs) -> APIRouter:
    """The routes of songs."""
    router = APIRouter(tags=["songs"])

    @router.post(
        "/v1/songs",
        status_code=202,
        summary="Ask for a song",
        response_model=Song,
        openapi_extra=body("SongRequest", SONG_EXAMPLES),
        responses={
            200: {"model": Song, "description": "With wait: the song is sung.", "headers": _LOCATION},
            202: {"description": "The song is accepted.", "headers": _LOCATION},
            **errors(404, 409, 415, 422, 429, 503),
        },
    )
    async def ask(
        request: Request,
        response: Response,
        wait: Annotated[bool, Query(description="Answer once it is sung, failed (500) or cancelled (409).")] = False,
    ) -> Any:
        """All fields may be left out. A composition that names an adapter that is not there is answered with 404; where
        it is "routed" and there is no router that fits the loaded model, the answer is 409."""
        asked = await read_json(request)
        wish, routed = read_wish(asked)
        job = await run_in_threadpool(songs.submit_routed if routed else songs.submit, wish)
        if wait:
            await _ended(job, request)
        standing = await run_in_threadpool(songs.standing_of, job)
        if standing is None:
            raise no_song(job.id)
        if wait and standing.state in STATUS_OF:
            error = standing.error or f"the song is {standing.state}"
            raise Problem(STATUS_OF[standing.state], error, extra={"id": job.id, "state": standing.state})
        response.headers["Location"] = f"/v1/songs/{job.id}"
        if standing.state == "done" and wait:
            response.status_code = 200
        return shown(standing)

    @router.get("/v1/songs", summary="List songs", response_model=SongList, responses=errors(422))
    def browse(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        state: Annotated[
            SongState | None, Query(description="failed and cancelled ones are listed for a while, where asked for.")
        ] = None,
        text: Annotated[str | None, Query(max_length=200, description="Stands in the caption or lyrics.")] = None,
        adapter: Annotated[
            str | None, Query(pattern="^[a-z0-9-]{1,64}$", description="Sings along; base: songs without any.")
        ] = None,
        comparison: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
        compared: Annotated[bool | None, Query(description="Whether it is part of a comparison or cascade.")] = None,
        judged: Annotated[bool | None, Query(description="Whether a word error rate is known.")] = None,
        max_wer: Annotated[float | None, Query(ge=0, le=1e6, allow_inf_nan=False)] = None,
        min_wer: Annotated[float | None, Query(ge=0, le=1e6, allow_inf_nan=False)] = None,
        since: Annotated[_Time | None, Query(description="Asked for or stored at this time or later.")] = None,
        until: Annotated[_Time | None, Query(description="Asked for or stored before this time.")] = None,
    ) -> Any:
        """Newest first, those that wait or are being made before all others."""
        query = SongQuery(
            text=text,
            adapter=adapter,
            comparison=comparison,
            compared=compared,
            judged=judged,
            max_wer=max_wer,
            min_wer=min_wer,
            since=_in_utc(since),
            until=_in_utc(until),
        )
        found, total = songs.page(limit, offset, Listing(query, state))
        return {"songs": [shown(s) for s in found], "total": total, "limit": limit, "offset": offset}

    @router.get("/v1/songs/{song_id}", summary="Show a song", response_model=Song, responses=errors(404, 422))
    def show(song_id: SongId) -> Any:
        """How it stands, and once it is done everything that is stored with it: enough to sing it again."""
        standing = songs.standing(song_id)
        if standing is None:
            raise no_song(song_id)
        return shown(standing)

    @router.delete(
        "/v1/songs/{song_id}",
        summary="Cancel or delete a song",
        response_model=Removal,
        response_model_exclude_none=True,
        responses=errors(404, 422),
    )
    def remove(
        song_id: SongId,
        for_good: Annotated[bool, Query(description="Delete it at once, so that nothing brings it back.")] = False,
    ) -> Any:
        """Cancels a song that waits or is being made; deletes one that is done; lists one no more that has failed or
        was cancelled. One that is deleted can be brought back for some minutes, also after a restart."""
        outcome = songs.remove(song_id, for_good)
        if outcome is None:
            raise no_song(song_id)
        kept_for = songs.kept_for(song_id) if outcome == "deleted" else None
        return {"id": song_id, "state": outcome, "kept_for": kept_for}

    @router.post(
        "/v1/songs/{song_id}/restore",
        summary="Bring a deleted song back",
        response_model=Song,
        responses=errors(404, 409, 422),
    )
    def restore(song_id: SongId) -> Any:
        """As it was, with its verdict, and in its comparison or cascade. Answers 404 where it is gone for good or was
        never deleted, 409 where something stands in its place, or where it is back and its song.json cannot be read."""
        try:
            back = songs.restore(song_id)
        except PlaceTaken as error:
            raise Problem(409, str(error)) from error
        if not back:
            minutes = f"{songs.store.trash.kept_for / 60:.0f}"
            raise Problem(
                404,
                f"no deleted song {song_id[:40]!r} is kept: one can be brought back for {minutes} minutes",
            )
        standing = songs.standing(song_id)
        if standing is None:
            raise Problem(
                409,
                f"the song {song_id} is back, and its song.json cannot be read: mend that file, or delete the song for "
                "good",
            )
        return shown(standing)

    return router


async def _ended(job: Job, request: Request) -> None:
    """Wait until a job has ended, or its client is gone."""
    woken, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(woken.set)

    stop = job.events.listen(wake)
    try:
        while not job.wait(0):
            woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), LOOK_EVERY)
            if not job.wait(0):
                await asyncio.sleep(0.005)  # the last event comes a moment before the end
            if await request.is_disconnected():
                return
    finally:
        stop()


def _in_utc(time: datetime | None) -> datetime | None:
    """A time without a zone is taken as UTC."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
