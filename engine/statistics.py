"""What an engine has done so far, counted."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

#: Upper bounds, in seconds, of the buckets that denoising steps are counted in.
STEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))


@dataclass(frozen=True)
class EngineStatistics:
    """A snapshot. ``step_seconds_buckets`` counts steps up to each bound, all shorter ones included.

    ``outcomes``: songs that ended, as done, failed, cancelled or timeout; ``adapters``: songs sung with each, ``base``
    for those with none; ``batch_rows``: rows of the latest forward pass, 0 while nothing is sung.
    """

    queued: int
    running: int
    decoding: int
    batch_rows: int
    ticks: int
    step_seconds_sum: float
    step_seconds_buckets: tuple[tuple[float, int], ...]
    outcomes: dict[str, int]
    adapters: dict[str, int]


class Counters:
    """Counts from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows = self._ticks = 0
        self._seconds = 0.0
        self._buckets = [0] * len(STEP_BUCKETS)
        self._outcomes: Counter[str] = Counter()
        self._adapters: Counter[str] = Counter()

    def ticked(self, rows: int, seconds: float) -> None:
        """One forward pass was made."""
        with self._lock:
            self._rows, self._ticks, self._seconds = rows, self._ticks + 1, self._seconds + seconds
            self._buckets[bisect_left(STEP_BUCKETS, seconds)] += 1

    def ended(self, outcome: str, adapters: list[str]) -> None:
        """One song ended; ``adapters`` are counted where it was sung."""
        with self._lock:
            self._outcomes[outcome] += 1
            if outcome == "done":
                self._adapters.update(adapters or ["base"])

    @property
    def songs(self) -> int:
        """Songs that have ended, however."""
        with self._lock:
            return sum(self._outcomes.values())

    def snapshot(self, queued: int, running: int, decoding: int) -> EngineStatistics:
        """Everything as it stands now."""
        with self._lock:
            totals = [sum(self._buckets[: place + 1]) for place in range(len(self._buckets))]
            return EngineStatistics(
                queued,
                running,
                decoding,
                self._rows if running else 0,
                self._ticks,
                self._seconds,
                tuple(zip(STEP_BUCKETS, totals, strict=True)),
                {name: self._outcomes[name] for name in ("done", "failed", "cancelled", "timeout")},
                dict(self._adapters),
            )
