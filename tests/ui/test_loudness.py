"""Loudness of known signals, of noise against BS.1770's own coefficients, and players brought to one loudness."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from ui.loudness import BLOCK, NO_LEVEL, Level, Loudness, level, measure_loudness

RATE = 48_000


def sine(decibels: float, seconds: float = 5.0, channels: int = 1, rate: int = RATE) -> NDArray[np.float64]:
    """997 Hz with peaks at ``decibels`` below full scale, [samples, channels]."""
    times = np.arange(round(seconds * rate)) / rate
    one = 10 ** (decibels / 20) * np.sin(2 * np.pi * 997 * times)
    return np.repeat(one[:, None], channels, axis=1)


def by_the_recommendation(audio: NDArray[Any]) -> float:
    """Integrated loudness at 48 kHz with the coefficients printed in ITU-R BS.1770-4, tables 1 and 2."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585]
    passing = [1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]
    weighted = lfilter(*passing, lfilter(*shelf, audio, axis=0), axis=0)
    long, hop = round(0.4 * RATE), round(0.1 * RATE)
    starts = range(0, len(audio) - long + 1, hop)
    power = np.array([np.square(weighted[s : s + long]).mean(axis=0).sum() for s in starts])
    power = power[-0.691 + 10 * np.log10(power) >= -70]
    relative = -0.691 + 10 * np.log10(power.mean()) - 10
    kept = power[-0.691 + 10 * np.log10(power) > relative]
    return float(-0.691 + 10 * np.log10(kept.mean()))


@pytest.mark.parametrize("decibels", [-10.0, -20.0, -35.0])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000])
def test_a_sine_is_as_loud_as_the_recommendation_says(decibels: float, channels: int, rate: int) -> None:
    # A sine's power is half its peak's square; at 997 Hz the weighting makes up for the 0.691 that is taken off, and
    # powers of channels add up.
    expected = decibels + 10 * math.log10(0.5 * channels)
    assert measure_loudness(sine(decibels, channels=channels, rate=rate), rate) == pytest.approx(expected, abs=0.1)


def test_noise_that_falls_silent_is_gated_as_the_recommendation_says() -> None:
    noise = np.random.default_rng(0).standard_normal((RATE * 6, 2)) * 0.05
    noise[RATE * 3 :] *= 1e-3  # below the relative gate: it must not count
    found = measure_loudness(noise, RATE)
    assert found == pytest.approx(by_the_recommendation(noise), abs=0.1)
    assert found == pytest.approx(measure_loudness(noise[: RATE * 3], RATE), abs=0.3)


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros((RATE, 2)),
        np.full((RATE, 1), 1e-6),
        sine(-20, seconds=0.399),
        np.zeros((0, 2)),
        np.full((RATE, 1), np.nan),
    ],
)
def test_silence_and_what_is_shorter_than_a_block_have_no_loudness(audio: NDArray[Any]) -> None:
    assert measure_loudness(audio, RATE) is None


def test_one_block_is_enough() -> None:
    assert measure_loudness(sine(-20, seconds=BLOCK), RATE) == pytest.approx(-23.0, abs=0.3)


def test_songs_are_brought_to_the_quietest(tmp_path: Path) -> None:
    loud, soft = sine(-6.0), sine(-18.5)
    files = {"a": loud, "b": soft, "c": np.zeros((RATE, 1)), "d": sine(-12.0)}
    for name, audio in files.items():
        soundfile.write(tmp_path / f"{name}.flac", audio, RATE)
    levels = Loudness(lambda name: tmp_path / f"{name}.flac").levels([*files, "gone"])
    assert levels["b"].gain == 0 and levels["a"].gain == pytest.approx(-12.5, abs=0.05)
    assert levels["d"].gain == pytest.approx(-6.5, abs=0.05)
    assert levels["c"] == NO_LEVEL == levels["gone"] and NO_LEVEL.volume == 1
    for name in "abd":  # played at its volume, each is as loud as the quietest
        played = measure_loudness(files[name] * levels[name].volume, RATE)
        assert played == pytest.approx(levels["b"].loudness, abs=0.01)


def test_nothing_to_level() -> None:
    assert level({}) == {} and level({"a": None}) == {"a": NO_LEVEL}
    assert level({"a": -20.0, "b": None}) == {"a": Level(-20.0, 0.0), "b": NO_LEVEL}


def test_a_song_is_measured_once_and_anew_when_its_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, path = soundfile.read, tmp_path / "a.flac"
    asked: list[Path] = []

    def count(file: Path, **more: Any) -> Any:
        asked.append(file)
        return read(file, **more)

    monkeypatch.setattr(soundfile, "read", count)
    soundfile.write(path, sine(-6.0), RATE)
    loudness = Loudness(lambda name: path)
    assert loudness.of("a") == loudness.of("a") and len(asked) == 1
    soundfile.write(path, sine(-30.0, seconds=2.0), RATE)
    assert loudness.of("a") == pytest.approx(-33.0, abs=0.1) and len(asked) == 2
    path.write_bytes(b"no sound")
    assert loudness.of("a") is None
    path.unlink()
    assert loudness.of("a") is None
