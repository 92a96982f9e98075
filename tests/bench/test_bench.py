"""The benchmarks run on a random model and mean what they say; how fast it is, is no test's matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.serving import measure_serving
from bench.singing import time_singing
from engine.errors import ChoirmasterError
from engine.song_model import SongModel


def test_both_sing_and_the_ratio_is_of_the_medians(random_model: SongModel) -> None:
    turns: list[int] = []
    found = time_singing(random_model, 12, 1, lambda: turns.append(1))
    assert turns == [1] and found.audio_seconds == 12 and found.steps == random_model.preset.steps
    assert found.ours > 0 < found.stock
    assert found.ratio == pytest.approx(found.ours / found.stock)


def test_a_server_that_does_not_come_up_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChoirmasterError, match="start it by hand"):
        measure_serving(str(tmp_path), patience=120)
