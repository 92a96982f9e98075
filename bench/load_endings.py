"""What must hold once the clients of a load run are gone: songs are right, and the server ends and comes back well."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import httpx

from bench.load_http import Conversation, open_client
from bench.load_ledger import AskedSong, Fault, Ledger
from bench.load_sounds import compare_sounds, read_sound
from bench.load_wishes import draw_song
from bench.serving import GRACE, RunningServer

#: Songs that are asked for a moment before the server is told to end.
LAST_SONGS = 3
Told = Callable[[float, float], None]


@dataclass
class Alone:
    """Songs sung again, alone; the ``worst`` of them by their largest difference, and by their correlation."""

    songs: int = 0
    worst_difference: float = 0.0
    worst_correlation: float = 1.0


@dataclass
class Ending:
    """How the server ended: seconds from the signal, exit code, and the songs ``listed`` once it was started anew."""

    seconds: float
    code: int | None
    listed: int = 0


async def hear_all(talk: Conversation, told: Told) -> None:
    """Wait for the songs that nobody waited for, and hear all that are done and were not heard."""
    songs = [song for song in talk.ledger.songs.values() if song.fate == "open" or not (song.heard or song.unwanted)]
    for number, song in enumerate(songs):
        told(number, len(songs))
        if song.fate == "failed":
            continue
        try:
            await talk.settle(song)
            if song.fate == "done":
                await talk.hear(song)
        except (Fault, httpx.HTTPError) as error:
            talk.ledger.blame(f"in the end: {error or repr(error)}")


async def sing_again(talk: Conversation, count: int, rng: Random, told: Told) -> Alone:
    """Sing some of the songs that are done again, one by one; they must not have felt their batch mates."""
    there = [song for song in talk.ledger.with_fate("done") if song.heard]
    chosen, found = rng.sample(there, min(count, len(there))), Alone()
    for number, song in enumerate(chosen):
        told(number, len(chosen))
        try:
            asked = time.monotonic()
            answer = (await talk.ask("POST", "/v1/songs", 200, params={"wait": "true"}, json=song.fields)).json()
            again = talk.ledger.accept(answer["id"], song.fields, asked)
            again.fate = "done"
            one, other = [read_sound(f"the song {s.id}", await _sound(talk, s)) for s in (song, again)]
        except (Fault, httpx.HTTPError) as error:
            talk.ledger.blame(f"sung again: {error or repr(error)}")
            continue
        again.heard = True
        alike = compare_sounds(one, other)
        found.songs += 1
        found.worst_difference = max(found.worst_difference, alike.difference)
        found.worst_correlation = min(found.worst_correlation, alike.correlation)
        if not alike.same:
            talk.ledger.blame(
                f"the song {song.id}, sung again alone as {again.id}, differs by {alike.difference:.3g} and correlates "
                f"by {alike.correlation:.4f}: {song.fields}"
            )
    return found


async def _sound(talk: Conversation, song: AskedSong) -> bytes:
    return (await talk.get(f"/v1/songs/{song.id}/audio")).content


async def end_server(server: RunningServer, drain: float, ledger: Ledger, busy: bool = True) -> Ending:
    """Tell the server to end, ``busy`` with songs it has just accepted; it must finish these, take no more and exit."""
    async with open_client(server.address) as http:
        talk, songs = Conversation(http, ledger), []
        try:
            for number in range(LAST_SONGS if busy else 0):
                songs.append(await talk.ask_song(draw_song(Random(f"last {number}"), ())))
        except (Fault, httpx.HTTPError) as error:
            ledger.blame(f"before the end: {error or repr(error)}")
        told = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        if busy:
            await _check_refused(talk)
        try:
            code = await asyncio.to_thread(server.process.wait, drain + GRACE)
        except subprocess.TimeoutExpired:
            ledger.blame(f"told to end, the server still ran after {drain + GRACE:g} s")
            return Ending(time.monotonic() - told, None)
    seconds = time.monotonic() - told
    if code != 0:
        ledger.blame(f"told to end, the server exited with {code}")
    for song in songs:  # whether it was is seen when the server lists its songs anew
        song.fate = "done"
    return Ending(seconds, code)


async def _check_refused(talk: Conversation) -> None:
    """While it ends the server must refuse songs with 503, as long as it answers at all."""
    ends = time.monotonic() + GRACE
    try:
        while (await talk.get("/readyz", 200, 503)).status_code == 200 and time.monotonic() < ends:
            await asyncio.sleep(0.02)
        await talk.ask("POST", "/v1/songs", 503, json={"caption": "folk", "lyrics": "too late"})
    except httpx.TransportError:
        return
    except Fault as fault:
        talk.ledger.blame(f"while it ended: {fault}")


async def check_listed(address: str, ledger: Ledger) -> int:
    """Every song that is done must be listed by a server started anew, and no other; how many are."""
    listed: set[str] = set()
    async with open_client(address) as http:
        talk, total = Conversation(http, ledger), 1
        try:
            while len(listed) < total:
                page = (await talk.get("/v1/songs", params={"limit": 100, "offset": len(listed)})).json()
                total, found = page["total"], {song["id"] for song in page["songs"]}
                if not found - listed:
                    break
                listed |= found
        except (Fault, httpx.HTTPError) as error:
            ledger.blame(f"started anew: {error or repr(error)}")
        if len(listed) != total:
            ledger.blame(f"started anew, the server counts {total} songs and lists {len(listed)}")
    done, failed = ({song.id for song in ledger.with_fate(fate)} for fate in ("done", "failed"))
    for what, ids in (("does not list", done - listed), ("lists the removed or unknown", listed - done - failed)):
        if ids:
            ledger.blame(f"started anew, the server {what} {len(ids)} songs, among them {', '.join(sorted(ids)[:5])}")
    return len(listed)
