"""A grid killed without warning, again and again, is finished with nothing sung or heard twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from eval.grid_log import HEARD, SUNG, open_heard, open_sung
from eval.grid_table import make_table
from eval.journal import Journal
from eval.ledger import Ledger
from tests.eval.grid_process import start_grid
from tests.eval.planted_grid import LISTENING, make_grid


def killed_after(folder: Path, lines: int, file: str, pause: float) -> None:
    """Kill a run some time after a journal has so many lines."""
    process, path = start_grid(folder), folder / "out" / file
    ends = time.monotonic() + 120
    while time.monotonic() < ends and process.is_alive():
        if path.exists() and path.read_bytes().count(b"\n") >= lines:
            time.sleep(pause)
            break
        time.sleep(0.002)
    process.kill()
    process.join(60)
    assert process.exitcode == -9, "it was done before it could be killed"


@pytest.mark.slow
def test_a_grid_killed_at_any_moment_is_finished_once(tmp_path: Path) -> None:
    from engine.song_model import load_song_model

    rng = random.Random(time.time_ns())
    for lines, file in ((2, SUNG), (7, HEARD), (12, SUNG)):
        killed_after(tmp_path, lines, file, rng.uniform(0, 0.1))
    process = start_grid(tmp_path)
    process.join(240)
    assert process.exitcode == 0
    grid = make_grid(load_song_model(), tmp_path, prompts=4)
    for keys in (_keys(open_sung(grid.folder)), _keys(open_heard(grid.folder))):
        assert Counter(keys) == Counter(cell.key for cell in grid.cells)
    assert len(make_table(Ledger(grid), [LISTENING], {}).songs) == len(grid.cells) == 24
    assert len(list((grid.folder / "audio").glob("*.flac"))) == 24


def _keys(journal: Journal) -> list[tuple[str, int, str]]:  # type: ignore[type-arg]
    return [entry.key for entry in journal.read()]
