"""How a client of a load run speaks to the server: every answer is counted and checked, and a full queue is waited for.

Knows the HTTP API, and not which of its songs are asked for why.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from bench.load_ledger import AskedSong, Fault, Ledger
from bench.load_sounds import read_sound

#: Seconds in which any song must end, and in which a silent connection is given up.
PATIENCE = 300.0
#: Seconds after which a song that was done when it was removed must be gone.
REMOVAL_PATIENCE = 10.0
#: Seconds between two looks at a song, at first and at last: many clients that look often would be a load of their own.
LOOK_AFTER, LOOK_EVERY = 0.2, 2.0
_ID = re.compile(r"/[0-9a-f]{16}(?=/|$)")


class Stopped(Exception):
    """The run is over, and what was to be asked is not asked any more."""


def open_client(address: str) -> httpx.AsyncClient:
    """A client with connections of its own, straight to the address whatever proxy the environment names."""
    timeout = httpx.Timeout(60.0, read=PATIENCE)
    return httpx.AsyncClient(base_url=address, timeout=timeout, trust_env=False)


class Conversation:
    """One client's requests. ``stop``: set once no more songs should be asked for."""

    def __init__(self, http: httpx.AsyncClient, ledger: Ledger, stop: asyncio.Event | None = None) -> None:
        self.http, self.ledger, self.stop = http, ledger, stop or asyncio.Event()

    async def get(self, path: str, *statuses: int, **options: Any) -> httpx.Response:
        """The answer to a GET, which must have one of the statuses, 200 by default."""
        return await self.ask("GET", path, *statuses, **options)

    async def ask(self, method: str, path: str, *statuses: int, **options: Any) -> httpx.Response:
        """The answer to a request, which must have one of the statuses, 200 by default.

        Raises:
            Fault: it has another.
        """
        answer = await self.http.request(method, path, **options)
        self.check(answer, *(statuses or (200,)))
        return answer

    def check(self, answer: httpx.Response, *statuses: int) -> None:
        """Count an answer; one that was read must have one of the statuses, and be a problem where it is an error."""
        status, asked = answer.status_code, f"{answer.request.method} {_ID.sub('/{id}', answer.request.url.path)}"
        self.ledger.answers[f"{asked} {status}"] += 1
        if status not in statuses:
            body = answer.text[:300] if answer.is_stream_consumed else ""
            raise Fault(f"{asked} answered {status} rather than {' or '.join(map(str, statuses))}: {body}")
        if status >= 400:
            problem = answer.json() if "application/problem+json" in answer.headers.get("content-type", "") else {}
            if problem.get("status") != status or not problem.get("detail") or not problem.get("request_id"):
                raise Fault(f"{asked} answered {status} with something that is no problem: {answer.text[:300]}")

    async def post(self, path: str, fields: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """Ask for songs and wait, as long as told, while the queue is full; the answer, and when it was first asked.

        Raises:
            Stopped: the run is over.
        """
        asked = time.monotonic()
        while not self.stop.is_set():
            answer = await self.ask("POST", path, 202, 429, json=fields)
            if answer.status_code == 202:
                found: dict[str, Any] = answer.json()
                return found, asked
            await self._wait(answer)
        raise Stopped

    async def _wait(self, answer: httpx.Response) -> None:
        """Wait as long as a full queue asks for."""
        given = answer.headers.get("retry-after", "")
        if not given.isdigit() or int(given) < 1:
            raise Fault(f"429 came with Retry-After {given!r} rather than with seconds")
        self.ledger.waits += 1
        try:
            await asyncio.wait_for(self.stop.wait(), int(given))
        except TimeoutError:
            return

    async def ask_song(self, fields: dict[str, Any]) -> AskedSong:
        """Ask for one song and note it."""
        answer, asked = await self.post("/v1/songs", fields)
        return self.ledger.accept(answer["id"], fields, asked)

    async def show(self, song: AskedSong) -> dict[str, Any] | None:
        """How a song stands; None where there is none of its id."""
        answer = await self.get(f"/v1/songs/{song.id}", 200, 404)
        found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
        return found

    async def settle(self, song: AskedSong) -> None:
        """Wait until a song has ended, and note how.

        Raises:
            Fault: it ended otherwise than it may, is lost, or did not end.
        """
        ends, pause = time.monotonic() + PATIENCE, LOOK_AFTER
        while time.monotonic() < ends:
            found = await self.show(song)
            state = "lost" if found is None else found["state"]
            if state in ("lost", "cancelled") and song.unwanted:
                song.fate = "cancelled" if song.fate == "open" else song.fate
                return
            if state == "done" and not song.unwanted:
                song.fate = "done"
                return
            if state in ("lost", "cancelled", "failed"):
                song.fate = "failed"
                why = "" if found is None else f" ({found.get('error')})"
                raise Fault(f"the song {song.id} is {state}{why}: {song.fields}")
            if state == "done":  # it was done a moment before it was removed
                ends = min(ends, time.monotonic() + REMOVAL_PATIENCE)
            await asyncio.sleep(pause)
            pause = min(LOOK_EVERY, 1.5 * pause)
        what = "was not removed" if song.unwanted else "did not end"
        song.fate = "failed"
        raise Fault(f"the song {song.id} {what} in time: {song.fields}")

    async def hear(self, song: AskedSong) -> dict[str, Any]:
        """Fetch a song that must be done, and decode it; its record.

        Raises:
            Fault: it is not there, silent, or not as long as its record says.
        """
        found = await self.show(song)
        try:
            if found is None or found["state"] != "done" or found["record"] is None:
                raise Fault(f"the song {song.id} was done and is {'lost' if found is None else found['state']}")
            record: dict[str, Any] = found["record"]
            data = (await self.get(f"/v1/songs/{song.id}/audio")).content
            await asyncio.to_thread(read_sound, f"the song {song.id}", data, float(record["seconds"]))
        except Fault:
            song.fate = "failed"
            raise
        song.heard = True
        return record

    @asynccontextmanager
    async def events(
        self, song: AskedSong, attention: bool = False, last: int = 0
    ) -> AsyncIterator[AsyncIterator[tuple[int, str, dict[str, Any]]]]:
        """The events of a song: number, kind and data. The connection is closed when the block is left."""
        headers = {"Last-Event-ID": str(last)} if last else {}
        query = {"attention": "true"} if attention else {}
        async with self.http.stream("GET", f"/v1/songs/{song.id}/events", params=query, headers=headers) as answer:
            self.check(answer, 200)
            yield self._noted(song, answer, last)

    async def _noted(
        self, song: AskedSong, answer: httpx.Response, last: int
    ) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
        async for number, kind, data in read_events(answer):
            if number <= last:
                raise Fault(f"event {number} of the song {song.id} came after event {last}")
            last = number
            if kind == "step" and song.stepped is None:
                song.stepped = time.monotonic()
            if kind == "done" and song.done is None:
                song.done = time.monotonic()
            yield number, kind, data


async def read_events(answer: httpx.Response) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
    """Number, kind and data of each event of a stream; comments are passed over."""
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            if {"id", "event", "data"} <= event.keys():
                yield int(event["id"]), event["event"], json.loads(event["data"])
            event = {}
