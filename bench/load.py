"""Many clients at once over real HTTP against a server of its own: is every song right, how soon, in how much memory.

The server runs in a process of its own. It is told to end while songs wait, and started anew on the same folder, where
every finished song must be. What a client does is ``bench.load_client``'s concern.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from bench.load_client import ACTS, PLAIN, LoadClient
from bench.load_endings import Alone, Ending, check_listed, end_server, hear_all, sing_again
from bench.load_http import PATIENCE, Conversation, open_client
from bench.load_ledger import Latency, Ledger
from bench.load_samples import Sample, Sampler, Usage
from bench.serving import RunningServer, running_server

#: Told what is being done, how much of it is done, how much there is, and how things stand.
Tell = Callable[[str, float, float, str], None]


@dataclass(frozen=True)
class LoadSettings:
    """How long how many clients ask, and of what server.

    ``again``: songs that are sung again alone. ``plain``: only songs, followed and fetched, and no mischief.
    """

    clients: int = 16
    seconds: float = 600.0
    seed: int = 0
    again: int = 20
    plain: bool = False
    # the server's
    model: str | None = None
    judge: str = "none"
    max_queue: int = 8
    drain: float = 60.0


@dataclass
class LoadReport:
    """What came of it. ``seconds``: how long clients asked; latencies are of the songs that were followed."""

    clients: int
    seconds: float
    # songs
    songs_per_minute: float
    done: Latency
    first_step: Latency
    fates: dict[str, int]
    # the server's own numbers
    usage: Usage
    alone: Alone
    ending: Ending | None = None
    # what was asked and answered
    acts: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    queue_waits: int = 0
    interrupted: bool = False
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.fault_count

    def statuses(self) -> dict[str, int]:
        """How often each status was answered, whatever the route."""
        counts: Counter[str] = Counter()
        for asked, count in self.answers.items():
            counts[asked.rpartition(" ")[2]] += count
        return dict(sorted(counts.items()))

    def as_json(self) -> dict[str, Any]:
        return {"passed": self.passed, **asdict(self), "statuses": self.statuses()}


def quiet(*_: object) -> None:
    """Tells nobody."""


def measure_load(settings: LoadSettings, tell: Tell = quiet) -> LoadReport:
    """Start a server, let clients loose on it, end it, start it anew, and report. Ctrl-C ends the asking early.

    Raises:
        ChoirmasterError: a server did not come up.
    """
    return asyncio.run(_measure(settings, tell))


async def _measure(settings: LoadSettings, tell: Tell) -> LoadReport:
    ledger, stop = Ledger(), _stop_by_interrupt()
    options = ["--judge", settings.judge, *(["--model", settings.model] if settings.model else [])]
    options += ["--max-queue", str(settings.max_queue), "--drain", str(settings.drain)]
    with tempfile.TemporaryDirectory() as folder:
        outputs, complaints = Path(folder) / "songs", Path(folder) / "complaints.txt"

        def running() -> Any:
            return running_server(outputs, *options, complaints=complaints)

        tell("starting the server", 0, 0, "")
        with running() as server:
            report = await load_server(server.address, settings, ledger, tell, server, stop)
            tell("ending the server", 0, 0, "")
            ending = await end_server(server, settings.drain, ledger)
        tell("starting it anew", 0, 0, "")
        with running() as server:
            ending.listed = await check_listed(server.address, ledger)
            await end_server(server, settings.drain, ledger, busy=False)
        said = complaints.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in said:
            ledger.blame(f"the server complained: {said[said.index('Traceback') :][:2000]}")
    report.ending = ending
    _sum_up(report, ledger)
    return report


async def load_server(
    address: str,
    settings: LoadSettings,
    ledger: Ledger,
    tell: Tell = quiet,
    server: RunningServer | None = None,
    stop: asyncio.Event | None = None,
) -> LoadReport:
    """Let clients loose on a server, and look at what they leave; its memory is watched where it runs here."""
    stop = stop or asyncio.Event()
    async with open_client(address) as own:
        talk = Conversation(own, ledger)
        adapters = await _adapters(own)
        sampler = Sampler(own, server)
        lasted, interrupted = await _let_loose(address, settings, ledger, adapters, sampler, tell, stop)
        usage = sampler.usage()
        await hear_all(talk, lambda done, of: tell("hearing the rest", done, of, _state(ledger)))
        alone = await sing_again(
            talk,
            settings.again,
            Random(f"{settings.seed} again"),
            lambda done, of: tell("singing again, alone", done, of, _state(ledger)),
        )
    report = LoadReport(
        clients=settings.clients,
        seconds=lasted,
        songs_per_minute=60 * usage.songs_done / lasted,
        done=Latency.of([s.done - s.asked for s in ledger.songs.values() if s.done is not None]),
        first_step=Latency.of([s.stepped - s.asked for s in ledger.songs.values() if s.stepped is not None]),
        fates={},
        usage=usage,
        alone=alone,
        interrupted=interrupted,
    )
    _sum_up(report, ledger)
    return report


async def _let_loose(
    address: str,
    settings: LoadSettings,
    ledger: Ledger,
    adapters: list[str],
    sampler: Sampler,
    tell: Tell,
    stop: asyncio.Event,
) -> tuple[float, bool]:
    """Run all clients for as long as they may; how many seconds they asked, and whether that was cut short."""
    acts = PLAIN if settings.plain else ACTS
    connections = [open_client(address) for _ in range(settings.clients)]
    clients = [
        LoadClient(number, Conversation(http, ledger, stop), Random(f"{settings.seed}/{number}"), adapters, acts)
        for number, http in enumerate(connections)
    ]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    begun = time.monotonic()
    try:
        while (spent := time.monotonic() - begun) < settings.seconds and not stop.is_set():
            tell("under load", spent, settings.seconds, _state(ledger))
            try:
                await sampler.take()
            except httpx.HTTPError as error:
                ledger.blame(f"the server's numbers could not be read: {error!r}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(Sample.EVERY, max(0.0, settings.seconds - spent)))
        await _take_last(sampler)
        lasted, interrupted = time.monotonic() - begun, stop.is_set()
        stop.set()
        tell("waiting for the clients", 0, 0, _state(ledger))
        _, hanging = await asyncio.wait(tasks, timeout=2 * PATIENCE)
        if hanging:
            ledger.blame(f"{len(hanging)} clients did not come to an end")
        return lasted, interrupted
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for http in connections:
            await http.aclose()


async def _take_last(sampler: Sampler) -> None:
    with suppress(httpx.HTTPError):
        await sampler.take()


async def _adapters(http: httpx.AsyncClient) -> list[str]:
    """Adapters on the server's shelf that were made for its model; none where it has no shelf."""
    answer = await http.get("/v1/adapters")
    if answer.status_code != 200:
        return []
    return [card["name"] for card in answer.json()["adapters"] if card["fits"]]


def _state(ledger: Ledger) -> str:
    ended = sum(song.fate != "open" for song in ledger.songs.values())
    return f"{ended} of {len(ledger.songs)} songs ended, {ledger.fault_count} faults"


def _sum_up(report: LoadReport, ledger: Ledger) -> None:
    report.fates = dict(Counter(song.fate for song in ledger.songs.values()))
    report.acts, report.answers = dict(ledger.acts.most_common()), dict(sorted(ledger.answers.items()))
    report.queue_waits = ledger.waits
    report.faults, report.fault_count = list(ledger.faults), ledger.fault_count


def _stop_by_interrupt() -> asyncio.Event:
    """Set by Ctrl-C; a second one ends everything at once."""
    stop = asyncio.Event()

    def interrupted() -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    with suppress(RuntimeError, ValueError, NotImplementedError):  # not in the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted)
    return stop
