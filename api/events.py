"""What happens to a song, as server-sent events: from the log of a song of this process, or from its record on disk.

A client holds nothing but the number of the last event it has seen: one that is slow misses the oldest steps, one that
goes away costs nothing, and one that comes back goes on where it was.
"""

# Without postponed annotations: FastAPI has to see a dependency that is made inside a function.

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.failures import NothingMore
from api.places import with_clean_sentences
from api.schema import errors
from api.songs import SongId, no_song
from engine.events import EventLog, SongEvent
from ui.songs import Songs
from ui.standings import Standing

#: Numbers of the two events of a song that is only on disk: above those of any song of this process.
STORED_DONE, STORED_JUDGED = 1_000_000, 1_000_001
LAST_EVENTS = frozenset({"judged", "failed", "cancelled"})
#: Seconds between two looks at a song on disk to which the judge is listening.
LOOK_EVERY = 0.5


class Following:
    """One client and the events of one song. Lives on the event loop; is woken from any thread."""

    def __init__(self, songs: Songs, song_id: str, log: EventLog | None, last: int) -> None:
        self.songs, self.song_id, self.log, self.last = songs, song_id, log, last
        self._woken = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(self._woken.set)

        self.stop: Callable[[], None] = (lambda: None) if log is None else log.listen(wake)

    async def events(self) -> AsyncIterator[SongEvent]:
        """Events after the last one seen, until the song's last."""
        if self.log is None:
            async for event in self._stored():
                yield event
            return
        while True:
            self._woken.clear()
            for event in self.log.since(self.last):
                self.last = event.id
                yield event
                if event.kind in LAST_EVENTS:
                    return
            await self._woken.wait()

    async def _stored(self) -> AsyncIterator[SongEvent]:
        if self.last < STORED_DONE:
            standing = await self._standing()
            if standing is not None:
                yield SongEvent(STORED_DONE, "done", {"seconds": (standing.record or {}).get("seconds")})
        while (standing := await self._standing()) is not None and not standing.settled:
            await asyncio.sleep(LOOK_EVERY)
        gone = {"state": "unavailable", "reason": "the song was removed"}
        yield SongEvent(STORED_JUDGED, "judged", gone if standing is None else dict(standing.judged or {}))

    async def _standing(self) -> Standing | None:
        return await run_in_threadpool(self.songs.standing, self.song_id)


def event_routes(songs: Songs) -> APIRouter:
    """The route of events."""
    router = APIRouter(tags=["songs"])

    async def follow(
        song_id: SongId,
        last_event_id: Annotated[int, Query(ge=0, description="As Last-Event-ID, which goes first.")] = 0,
        header: Annotated[
            str | None, Header(alias="Last-Event-ID", description="Go on after this event; sent by browsers.")
        ] = None,
    ) -> AsyncIterator[Following]:
        given = header.strip() if header is not None else ""
        last = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else last_event_id
        log = songs.events(song_id)
        if log is None:
            if await run_in_threadpool(songs.standing, song_id) is None:
                raise no_song(song_id)
            over = last == STORED_JUDGED
        else:
            told = log.since()
            if told and last > told[-1].id:  # not a number of this log: all of it, rather than none
                last = 0
            over = bool(told) and last == told[-1].id and told[-1].kind in LAST_EVENTS
        if over:
            raise NothingMore
        following = Following(songs, song_id, log, last)
        try:
            yield following
        finally:
            following.stop()

    @router.get(
        "/v1/songs/{song_id}/events",
        summary="Follow a song",
        response_class=EventSourceResponse,
        responses={
            200: {"description": "The events so far, then each as it happens, until judged, failed or cancelled."},
            204: {"description": "Last-Event-ID was the last event there is."},
            **errors(404, 422),
        },
    )
    async def events(
        following: Annotated[Following, Depends(follow)],
        attention: Annotated[bool, Query(description="Add attention maps to the steps, where they are kept.")] = False,
    ) -> AsyncIterator[ServerSentEvent]:
        """`queued`, `singing`, `step`, `decoding`, `done`, `judged`, or `failed` or `cancelled`; `data` is JSON.

        The singing event names the words, tokens and heads that the maps of steps are about. Comments keep the
        connection alive while nothing happens.
        """
        async for event in following.events():
            data = with_clean_sentences(event.data)
            if attention and event.frame is not None:
                data = {**data, "attention": await run_in_threadpool(pack_frame, event.frame)}
            yield ServerSentEvent(raw_data=json.dumps(data), event=event.kind, id=str(event.id))

    return router


def pack_frame(frame: Any) -> dict[str, Any]:
    """Attention maps (``engine.attention_maps.AttentionFrame``) as JSON; ``data``: little-endian float16, base64."""
    maps = frame.maps.astype("<f2")
    return {
        "shape": list(maps.shape),
        "dtype": "float16",
        "data": base64.b64encode(maps.tobytes()).decode("ascii"),
        "heads": [list(head) for head in frame.heads],
        "lyric_mass": frame.lyric_mass.astype(float).round(4).tolist(),
        "kept_mass": frame.kept_mass.astype(float).round(4).tolist(),
    }
