"""Memory over many songs: what the process holds after the first hundred and after the last."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass

from bench.memory import resident_memory
from bench.subjects import MemoryShelf, Subject
from bench.throughput import requests_of
from engine.engine import Engine

#: Songs asked for at once.
WAVE = 20


@dataclass(frozen=True)
class Endurance:
    """Resident megabytes after so many songs each; empty where the system does not tell (it is read from /proc)."""

    songs: int
    resident: dict[int, float]


def measure_endurance(subject: Subject, songs: int = 500, told: Callable[[], None] = lambda: None) -> Endurance:
    """Sing ``songs`` songs of all compositions in waves; ``told`` is called after each song."""
    resident: dict[int, float] = {}
    requests = requests_of(subject, songs, None)
    with Engine(subject.model, None, MemoryShelf(subject.adapters)) as engine:
        for first in range(0, songs, WAVE):
            jobs = [engine.submit(request) for request in requests[first : first + WAVE]]
            for job in jobs:
                job.result(600)
                told()
            sung = first + len(jobs)
            if sung % 100 == 0 or sung == songs:
                del job, jobs
                gc.collect()
                found = resident_memory()
                if found is not None:
                    resident[sung] = found
    return Endurance(songs, resident)
