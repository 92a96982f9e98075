"""What a server says of itself while it is under load, every second: batches, queue, steps; and its memory."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import ClassVar

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.serving import RunningServer

#: Looks at the memory that are told one by one.
KEPT = 100


@dataclass(frozen=True)
class Sample:
    """One look. ``memory`` in MB, None where it is not known."""

    EVERY: ClassVar[float] = 1.0

    when: float
    memory: float | None
    rows: float
    singing: float
    queued: float
    steps: float
    step_seconds: float
    songs_done: float


@dataclass(frozen=True)
class Usage:
    """What the looks tell together. ``memory_first`` and ``memory_last``: medians of the first and the last quarter.

    ``memory``: pairs of seconds since the first look and MB, :data:`KEPT` at most.
    """

    samples: int
    batch_rows: float
    singing: float
    queued: float
    step_seconds: float
    songs_done: int
    memory_first: float | None
    memory_last: float | None
    memory_peak: float | None
    memory: list[tuple[float, float]] = field(default_factory=list)


class Sampler:
    """Looks at a server, whose memory is known where it runs on this machine."""

    def __init__(self, http: httpx.AsyncClient, server: RunningServer | None = None) -> None:
        self.http, self.server = http, server
        self.samples: list[Sample] = []

    async def take(self) -> None:
        """Look once."""
        answer = (await self.http.get("/metrics")).raise_for_status()
        found = read_numbers(answer.text)
        self.samples.append(
            Sample(
                time.monotonic(),
                None if self.server is None else self.server.memory(),
                found.get("choirmaster_batch_rows", 0.0),
                found.get("choirmaster_songs_singing", 0.0),
                found.get("choirmaster_queue_depth", 0.0),
                found.get("choirmaster_step_seconds_count", 0.0),
                found.get("choirmaster_step_seconds_sum", 0.0),
                found.get("choirmaster_songs_total{outcome=done}", 0.0),
            )
        )

    def usage(self) -> Usage:
        """All looks together; rows are those of moments at which something was sung."""
        if not self.samples:
            return Usage(0, 0.0, 0.0, 0.0, 0.0, 0, None, None, None)
        first, last = self.samples[0], self.samples[-1]
        steps = last.steps - first.steps
        known = [(round(s.when - first.when, 1), s.memory) for s in self.samples if s.memory is not None]
        memory = [megabytes for _, megabytes in known]
        quarter = max(1, len(memory) // 4)
        return Usage(
            samples=len(self.samples),
            batch_rows=_mean([sample.rows for sample in self.samples if sample.rows]),
            singing=_mean([sample.singing for sample in self.samples]),
            queued=_mean([sample.queued for sample in self.samples]),
            step_seconds=(last.step_seconds - first.step_seconds) / steps if steps else 0.0,
            songs_done=round(last.songs_done - first.songs_done),
            memory_first=statistics.median(memory[:quarter]) if memory else None,
            memory_last=statistics.median(memory[-quarter:]) if memory else None,
            memory_peak=max(memory, default=None),
            memory=known[:: len(known) // KEPT + 1],
        )


def read_numbers(text: str) -> dict[str, float]:
    """Numbers in Prometheus' text format by name, labels behind it in braces."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
    return found


def _mean(values: list[float]) -> float:
    return statistics.fmean(values) if values else 0.0
