"""Timing several ways to the same thing side by side: they take turns, so that what else the machine does hits all."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping


def time_in_turns(
    ways: Mapping[str, Callable[[], object]], rounds: int, told: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Seconds each way took in every round, after one that warms up and is not counted.

    Each round has an order of its own, since what a way leaves behind in caches and memory is the next one's matter.
    """
    spent: dict[str, list[float]] = {name: [] for name in ways}
    shuffled = random.Random(0)
    for number in range(rounds + 1):
        for name in shuffled.sample(list(ways), len(ways)):
            start = time.perf_counter()
            ways[name]()
            if number:
                spent[name].append(time.perf_counter() - start)
        told()
    return spent


def ratio(spent: Mapping[str, list[float]], of: str, to: str) -> float:
    """The median over rounds of one way's seconds to another's in the same round."""
    return statistics.median(a / b for a, b in zip(spent[of], spent[to], strict=True))
