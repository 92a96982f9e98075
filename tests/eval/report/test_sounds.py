"""Sounds are embedded while there is room; what is missing or damaged is told, and nothing raises."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import soundfile

from eval.report.budget import Budget
from eval.report.sounds import embed_sound
from tests.eval.report.planted import RATE, plant_sound


def test_a_sound_comes_back_as_it_was(tmp_path: Path) -> None:
    plant_sound(tmp_path / "a.flac", seconds=1.0, pitch=440)
    uri = embed_sound(tmp_path / "a.flac", Budget(1)).uri
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    spectrum = abs(np.fft.rfft(samples[: RATE // 2]))
    assert rate == RATE and spectrum.argmax() * 2 == 440


def test_a_budget_is_spent_and_never_overdrawn(tmp_path: Path) -> None:
    plant_sound(tmp_path / "a.flac", seconds=1.0, pitch=440)
    size = len(embed_sound(tmp_path / "a.flac", Budget(1)).uri)
    budget = Budget(1.5 * size / 1e6)
    assert embed_sound(tmp_path / "a.flac", budget).uri
    second = embed_sound(tmp_path / "a.flac", budget)
    assert not second.uri and "No room" in second.missing and "a.flac" in second.missing
    assert 0 <= budget.left < size


def test_missing_and_damaged_sounds_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.flac").write_bytes(b"fLaC no more")
    assert "was not kept" in embed_sound(tmp_path / "none.flac", Budget(1)).missing
    assert "cannot be played" in embed_sound(tmp_path / "bad.flac", Budget(1)).missing
    assert "was not kept" in embed_sound(tmp_path, Budget(1)).missing
