"""Waiting for something to come true, in tests of what happens in other threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 120.0) -> T:
    """The first true value of ``look``."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, f"it did not come true within {seconds} s"
        time.sleep(0.01)
    return found
