"""Sound as judges take it: checked, in one channel, at 16 kHz. Knows no judge and no words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ChoirmasterError

#: Samples per second that Whisper listens to.
RATE = 16_000
_MOST_CHANNELS = 64


class AudioError(ChoirmasterError):
    """This is not audio a judge can listen to."""


@dataclass(frozen=True)
class Wave:
    """One channel, [samples], at the rate it came with, in Hz."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def peak(self) -> float:
        return float(np.abs(self.samples).max(initial=0.0))

    def resampled(self) -> NDArray[np.float32]:
        """The samples at :data:`RATE`."""
        if self.rate == RATE:
            return self.samples
        from scipy.signal import resample_poly

        common = math.gcd(self.rate, RATE)
        made: NDArray[np.float32] = resample_poly(self.samples, RATE // common, self.rate // common).astype(np.float32)
        return made


def read_wave(audio: NDArray[np.floating[Any]], sampling_rate: int) -> Wave:
    """``audio``, [samples] or [channels, samples], floats around ±1, in one channel.

    Raises:
        AudioError: not floats, not one or two dimensions, not finite, or an impossible sampling rate.
    """
    if sampling_rate < 1000:
        raise AudioError(f"a sampling rate of {sampling_rate} Hz cannot carry words: 16000 and above do")
    if not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(f"audio of {audio.dtype}: give floats around ±1 (int16 samples divided by 32768)")
    if audio.ndim not in (1, 2):
        raise AudioError(f"audio of shape {audio.shape}: give [samples] or [channels, samples]")
    if audio.ndim == 2 and audio.shape[0] > _MOST_CHANNELS:
        raise AudioError(f"audio of shape {audio.shape}: channels come first, [channels, samples]; transpose it")
    if not np.isfinite(audio).all():
        raise AudioError("the audio holds NaN or infinity: the song model diverged, or the file is damaged")
    if audio.size == 0:
        return Wave(np.zeros(0, dtype=np.float32), sampling_rate)
    return Wave((audio.mean(axis=0) if audio.ndim == 2 else audio).astype(np.float32), sampling_rate)
