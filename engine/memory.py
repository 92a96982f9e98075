"""Giving memory back to the system: glibc keeps what many threads have freed, and songs of many lengths leave gaps."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def release_memory() -> bool:
    """Give back what is free but kept; False where the C library has no such thing."""
    trim = _malloc_trim()
    if trim is None:
        return False
    trim(0)
    return True


@cache
def _malloc_trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # another C library than glibc
        return None
