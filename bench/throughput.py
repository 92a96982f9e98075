"""Songs per minute: many at once over several compositions, beside diffusers one by one and peft's mixed batch.

Encoding and decoding are counted. And how long songs take when 1, 4 or 16 clients ask for one after another.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.peers import PeftPeer, add_blends, blend_name
from bench.singing import LYRICS
from bench.subjects import MemoryShelf, Subject
from bench.taking_turns import ratio, time_in_turns
from engine.engine import Engine
from engine.request import SongRequest

OURS, ONE_BY_ONE, MIXED = "engine", "diffusers, set_adapters per song", "peft mixed batch"


@dataclass(frozen=True)
class Throughput:
    """Songs per minute of each way, and the median over rounds of ours to each peer's."""

    songs: int
    seconds: float
    rounds: int
    per_minute: dict[str, float]
    ratios: dict[str, float]


@dataclass(frozen=True)
class Latency:
    """Seconds from asking to done over ``songs`` songs of ``clients`` clients, and songs per minute."""

    clients: int
    songs: int
    p50: float
    p95: float
    per_minute: float


def requests_of(subject: Subject, songs: int, seconds: float | None) -> list[SongRequest]:
    """Songs of other seeds, over the subject's five compositions in turn, of one length where ``seconds`` are given."""
    compositions, lines = subject.compositions, LYRICS.split("\n")
    out = []
    for number in range(songs):
        words = "\n".join(lines[number % 4 :] + lines[: number % 4])
        out.append(
            SongRequest(
                caption="a quiet folk song",
                lyrics=words if seconds is None or seconds >= 7 else lines[number % 4],
                seed=number,
                duration=seconds,
                composition=compositions[number % len(compositions)],
            )
        )
    return out


def time_throughput(
    subject: Subject, songs: int = 8, seconds: float = 9.0, rounds: int = 3, told: Callable[[], None] = lambda: None
) -> Throughput:
    """Sing the same songs each way, in turns."""
    requests = requests_of(subject, songs, seconds)
    peer = PeftPeer(subject)
    batch = PeftPeer(subject)
    add_blends(batch, subject.compositions)
    plain = replace(subject.model, alignment_heads={})
    with Engine(plain, None, MemoryShelf(subject.adapters)) as engine:

        def ours() -> None:
            jobs = [engine.submit(request) for request in requests]
            for job in jobs:
                job.result(600)

        spent = time_in_turns(
            {
                OURS: ours,
                ONE_BY_ONE: lambda: [peer.sing(request) for request in requests],
                MIXED: lambda: batch.sing_batch(requests, [blend_name(r.composition) for r in requests]),
            },
            rounds,
            told,
        )
    return Throughput(
        songs,
        seconds,
        rounds,
        {name: 60 * songs / statistics.median(times) for name, times in spent.items()},
        {name: ratio(spent, name, OURS) for name in (ONE_BY_ONE, MIXED)},
    )


def time_clients(
    subject: Subject, clients: Sequence[int] = (1, 4, 16), songs: int = 32, told: Callable[[], None] = lambda: None
) -> list[Latency]:
    """Clients that each ask for a song, wait for it, and ask for the next, until ``songs`` are sung in all."""
    return [_serve(subject, number, max(songs, 2 * number), told) for number in clients]


def _serve(subject: Subject, clients: int, songs: int, told: Callable[[], None]) -> Latency:
    requests, lock, took = iter(requests_of(subject, songs, None)), threading.Lock(), list[float]()

    def client(engine: Engine) -> None:
        while True:
            with lock:
                request = next(requests, None)
            if request is None:
                return
            asked = time.perf_counter()
            engine.submit(request).result(600)
            took.append(time.perf_counter() - asked)
            told()

    with Engine(subject.model, None, MemoryShelf(subject.adapters)) as engine:
        engine.submit(requests_of(subject, 1, None)[0]).result(600)
        threads = [threading.Thread(target=client, args=(engine,)) for _ in range(clients)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - started
    p50, p95 = np.percentile(took, [50, 95])
    return Latency(clients, songs, float(p50), float(p95), 60 * songs / wall)
