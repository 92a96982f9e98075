"""One client of a load run: sings, follows, listens, changes its mind, goes away, and sends what must be refused.

What it does next is drawn from its own seeded generator. Whatever the server does wrong goes into the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import httpx

from bench.load_http import Conversation, Stopped
from bench.load_ledger import AskedSong, Fault
from bench.load_sounds import check_frame, check_karaoke, check_maps, read_sound
from bench.load_wishes import BAD_INPUTS, BadInput, draw_song

#: What clients do, and how often. Every one is a method of :class:`LoadClient`.
ACTS: Mapping[str, int] = {
    "sing": 36,
    "explore": 12,
    "cancel": 14,
    "disconnect": 14,
    "resume": 6,
    "browse": 7,
    "misuse": 7,
    "burst": 2,
    "compare": 2,
}
#: Only songs, each asked for, followed and fetched.
PLAIN: Mapping[str, int] = {"sing": 1}
FORMATS = ("flac", "wav", "mp3", "ogg")
#: Seconds after which a client that was just told of a fault goes on, and that one waits for its song before it goes.
BREATH, SHORT_WAIT = 0.5, 0.6


class LoadClient:
    """A client with ``adapters`` to choose from, which goes on until its conversation is told to stop."""

    def __init__(
        self, number: int, talk: Conversation, rng: Random, adapters: Sequence[str], acts: Mapping[str, int] = ACTS
    ) -> None:
        self.number, self.talk, self.rng, self.adapters, self.acts = number, talk, rng, adapters, acts
        self.ledger = talk.ledger

    async def run(self) -> None:
        """Do one thing after the other until told to stop."""
        while not self.talk.stop.is_set():
            act = self.rng.choices(list(self.acts), list(self.acts.values()))[0]
            try:
                await getattr(self, act)()
            except Stopped:
                return
            except Fault as fault:
                self.ledger.blame(f"{act}: {fault}")
            except httpx.HTTPError as error:
                self.ledger.blame(f"{act}: the connection failed: {error!r}")
            except Exception as error:  # an answer that is not what it should be
                self.ledger.blame(f"{act}: an answer could not be read: {error!r}")
            else:
                self.ledger.acts[act] += 1
                continue
            await asyncio.sleep(BREATH)

    # --- songs

    async def sing(self) -> None:
        """Ask for a song, follow it to its end, with attention or not, and hear it."""
        song = await self._ask()
        attention = self.rng.random() < 0.3
        seen = await self._follow(song, attention=attention)
        if attention and song.fields.get("attention", {}) is not None and not seen:
            raise Fault(f"no attention maps came with the steps of the song {song.id}")
        await self.talk.hear(song)

    async def explore(self) -> None:
        """Hear a song in every format, whole and in parts; read its words in time and its maps."""
        song = await self._ask()
        await self.talk.settle(song)
        record = await self.talk.hear(song)
        for form in self.rng.sample(FORMATS, len(FORMATS)):
            await self._hear_parts(song, form, float(record["seconds"]))
        await self._read_words(song, float(record["seconds"]))

    async def cancel(self) -> None:
        """Remove a song at some moment of its life, or once it is done."""
        song = await self._ask()
        moment = self.rng.choice(("at once", "singing", "step", "decoding", "done"))
        if moment == "done":
            await self.talk.settle(song)
        elif moment != "at once":
            await self._follow(song, until=moment)
        await self._remove(song)
        await self.talk.settle(song)

    async def disconnect(self) -> None:
        """Go away without a word; the song is made all the same."""
        where = self.rng.choice(("queued", "step", "waiting", "download"))
        if where == "waiting":
            song = await self._ask_and_leave()
            if song is None:
                return
        else:
            song = await self._ask()
        if where in ("queued", "step"):
            await self._follow(song, until=where)
        await self.talk.settle(song)
        if where == "download":
            path = f"/v1/songs/{song.id}/audio"
            async with self.talk.http.stream("GET", path, params={"format": "wav"}) as answer:
                self.talk.check(answer, 200)
                async for _ in answer.aiter_bytes(4096):
                    break
        await self.talk.hear(song)

    async def resume(self) -> None:
        """Follow a song, go away, and come back to what happened since."""
        song = await self._ask()
        last = await self._follow(song, until="step", last=True)
        await self._follow(song, since=last)
        await self.talk.hear(song)

    async def burst(self) -> None:
        """Ask for many songs at once and remove every second one."""
        songs = await asyncio.gather(*(self._ask() for _ in range(self.rng.randint(4, 8))), return_exceptions=True)
        asked = [song for song in songs if isinstance(song, AskedSong)]
        for song in asked[1::2]:
            await self._remove(song)
        for song in asked:
            await self.talk.settle(song)
        for failure in songs:
            if isinstance(failure, BaseException):
                raise failure

    async def compare(self) -> None:
        """One prompt by several compositions, from one noise."""
        fields = draw_song(self.rng, ())
        del fields["composition"]
        compositions: list[Any] = ["base", *({name: 1.0} for name in self.adapters[:2])]
        answer, asked = await self.talk.post("/v1/compare", {**fields, "compositions": compositions})
        songs = [
            self.ledger.accept(told["id"], {**fields, "composition": {} if given == "base" else given}, asked)
            for told, given in zip(answer["songs"], compositions, strict=True)
        ]
        for song in songs:
            await self.talk.settle(song)
        found = (await self.talk.get(f"/v1/compare/{answer['id']}")).json()["songs"]
        if [told["id"] for told in found] != [song.id for song in songs]:
            raise Fault(f"the comparison {answer['id']} does not tell its songs in their order")
        for song in songs:
            await self.talk.hear(song)

    # --- without a song

    async def browse(self) -> None:
        """Read pages of the list; what is there fits the filters."""
        adapter = self.rng.choice(["base", *self.adapters])
        for query in ({}, {"adapter": adapter}, {"text": "KITCHEN light"}, {"state": "done"}, {"judged": "false"}):
            limit, offset = self.rng.randint(1, 20), self.rng.choice((0, 0, 5, 100))
            page = (await self.talk.get("/v1/songs", params={**query, "limit": limit, "offset": offset})).json()
            found = page["songs"]
            if len(found) > limit or page["total"] < len(found):
                raise Fault(f"a page of {limit} songs has {len(found)} of {page['total']}")
            for told in found:
                asked = told["request"]
                names = set(asked["composition"]) or {"base"}
                if "adapter" in query and adapter not in names:
                    raise Fault(f"the song {told['id']} is listed for the adapter {adapter} and was sung by {names}")
                if "text" in query and "kitchen light" not in asked["lyrics"].lower():
                    raise Fault(f"the song {told['id']} is listed for a text that it does not have")
                if "state" in query and told["state"] != "done":
                    raise Fault(f"the song {told['id']} is listed as done and is {told['state']}")

    async def misuse(self) -> None:
        """Send what must be refused."""
        for bad in self.rng.sample(BAD_INPUTS, 4):
            await self.send(bad)

    async def send(self, bad: BadInput) -> None:
        """Send it; it must be refused as it says."""
        answer = await self.talk.http.request(bad.method, bad.path, content=bad.body, headers=bad.headers)
        try:
            self.talk.check(answer, bad.status)
        except Fault as fault:
            raise Fault(f"{bad.name}: {fault}") from None
        if bad.says not in answer.json()["detail"]:
            raise Fault(f"{bad.name}: the answer does not name {bad.says}: {answer.json()['detail']}")

    # --- steps of these

    async def _ask(self) -> AskedSong:
        return await self.talk.ask_song(draw_song(self.rng, self.adapters))

    async def _ask_and_leave(self) -> AskedSong | None:
        """Ask for a song, wait for it a moment and go away; None where the queue was full."""
        fields = draw_song(self.rng, self.adapters)
        mark = f"{self.number} of {self.rng.randrange(2**40)}"
        fields["caption"] += f", {mark}"  # or else nobody knows which song it was
        asked = asyncio.get_running_loop().time()
        request = self.talk.http.post("/v1/songs", params={"wait": "true"}, json=fields)
        with suppress(TimeoutError):
            self.talk.check(await asyncio.wait_for(request, SHORT_WAIT), 200, 429)
        for _ in range(20):
            found = (await self.talk.get("/v1/songs", params={"text": mark})).json()["songs"]
            if found:
                return self.ledger.accept(found[0]["id"], fields, asked)
            await asyncio.sleep(0.25)
        return None

    async def _follow(
        self, song: AskedSong, until: str | None = None, attention: bool = False, since: int = 0, last: bool = False
    ) -> int:
        """Follow a song until an event of a kind, or its end; how many maps came, or the ``last`` event's number."""
        kinds: list[str] = []
        maps = number = 0
        async with self.talk.events(song, attention, since) as events:
            async for number, kind, data in events:
                kinds.append(kind)
                if attention and "attention" in data:
                    check_frame(song.id, data["attention"])
                    maps += 1
                if kind == until:
                    return number if last else maps
        if kinds[-2:] != ["done", "judged"] and not (since and kinds == ["judged"]):
            raise Fault(f"the events of the song {song.id} ended with {kinds[-3:]}: {song.fields}")
        if kinds != sorted(kinds, key=_ORDER.index):
            raise Fault(f"the events of the song {song.id} came out of order: {kinds}")
        song.fate = "done"
        return number if last else maps

    async def _hear_parts(self, song: AskedSong, form: str, seconds: float) -> None:
        path, query = f"/v1/songs/{song.id}/audio", {"format": form}
        whole = (await self.talk.get(path, params=query)).content
        await asyncio.to_thread(read_sound, f"the {form} of {song.id}", whole, seconds)
        first = self.rng.randrange(len(whole))
        last = self.rng.randrange(first, len(whole))
        for given, part in (
            (f"bytes={first}-{last}", whole[first : last + 1]),
            (f"bytes={first}-", whole[first:]),
            ("bytes=-100", whole[-100:]),
        ):
            answer = await self.talk.get(path, 206, params=query, headers={"Range": given})
            if answer.content != part:
                raise Fault(f"{given} of the {form} of {song.id} is not that part of the whole")
        await self.talk.get(path, 416, params=query, headers={"Range": f"bytes={len(whole)}-"})

    async def _read_words(self, song: AskedSong, seconds: float) -> None:
        path = f"/v1/songs/{song.id}"
        if song.fields.get("attention", {}) is None:
            await self.talk.get(f"{path}/karaoke", 404)
            await self.talk.get(f"{path}/attention", 404)
            return
        found = (await self.talk.get(f"{path}/karaoke")).json()
        timed = check_karaoke(song.id, found, seconds)
        for form in ("lrc", "enhanced-lrc"):
            await self.talk.get(f"{path}/karaoke", 200 if timed else 404, params={"format": form})
        check_maps(song.id, (await self.talk.get(f"{path}/attention")).content)

    async def _remove(self, song: AskedSong) -> None:
        song.unwanted = True
        told = (await self.talk.ask("DELETE", f"/v1/songs/{song.id}")).json()["state"]
        if told == "deleted":
            song.fate = "deleted"
        elif told not in ("cancelled", "cancelling"):
            raise Fault(f"the song {song.id} was to be removed and is {told}")


_ORDER = ["queued", "singing", "step", "decoding", "done", "judged", "failed", "cancelled"]
