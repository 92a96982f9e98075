"""Freed memory goes back to the system where the C library can do that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine import memory


def resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(not sys.platform.startswith("linux") or memory._malloc_trim() is None, reason="there is no glibc")
def test_what_was_freed_in_pieces_goes_back() -> None:
    # Small pieces with every hundredth kept, so that the heap does not shrink by itself.
    pieces = [bytearray(60_000) for _ in range(4000)]
    kept = pieces[::100]
    del pieces
    before = resident()
    assert memory.release_memory()
    assert before - resident() > 50_000 and len(kept) == 40, "kilobytes"


def test_without_such_a_library_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_malloc_trim", lambda: None)
    assert not memory.release_memory()
