"""A judge: a transcriber with frozen settings that writes down what it hears.

It never knows the lyrics: there is no parameter to tell it, nor does it remember the song before. Knows nothing of
words and errors either; ``eval.wer`` compares. One judge may be shared by threads: it loads when first used and listens
to one song at a time.
"""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ChoirmasterError
from eval.weights import JudgeUnavailable, resolve_weights

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_WHISPER_RATE = 16_000
_WINDOW_SECONDS = 30.0
_MOST_CHANNELS = 64


class AudioError(ChoirmasterError):
    """This is not audio a judge can listen to."""


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge listens. A change here changes every number measured before it."""

    # decoding
    language: str = "en"
    beam: int = 5
    temperature: float = 0.0
    condition_on_previous_text: bool = False
    vad_filter: bool = False
    without_timestamps: bool = True

    # a window is dropped when both say that nobody spoke
    no_speech_threshold: float = 0.6
    log_prob_threshold: float = -1.0

    # Tokens allowed in one window of up to 30 s: spare + rate x seconds, at most ``most_tokens``. Garbled singing sends
    # Whisper into "lololo" loops of up to 448 tokens. The 120 everyday songs need 25-38 tokens, at the fastest tempo
    # 7.4 a second, and 16 s of speech hurried to the edge of understanding 90; allowed are 40 for 2.4 s, 176 for 16 s.
    spare_tokens: int = 16
    tokens_per_second: float = 10.0
    most_tokens: int = 224

    # Whisper hears "you" in digital silence; below this peak (-80 dB) there is nothing to hear, nor is it asked.
    silence_peak: float = 1e-4
    shortest_seconds: float = 0.1


@dataclass(frozen=True)
class Segment:
    """What was heard in one window of up to 30 s, and how sure the judge was."""

    text: str
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    temperature: float


@dataclass(frozen=True)
class Heard:
    """What one judge heard in one song."""

    text: str
    segments: tuple[Segment, ...]
    seconds: float  # spent listening, loading not included
    audio_seconds: float


class Judge:
    """Whisper behind frozen settings.

    ``name`` is anything :func:`eval.weights.resolve_weights` takes; ``threads`` bounds the cores it uses (default: up
    to four of those this process may use).
    """

    def __init__(
        self,
        name: str = "base",
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int | None = None,
        settings: JudgeSettings | None = None,
    ) -> None:
        self.name = name
        self.device = device
        self.compute_type = compute_type
        self.threads = min(4, _cores()) if threads is None else max(1, threads)
        self.settings = settings if settings is not None else JudgeSettings()
        self._lock = threading.Lock()
        self._model: WhisperModel | None = None

    @property
    def title(self) -> str:
        """The judge as a table names it: "base int8 beam 5"."""
        return f"{self.name} {self.compute_type} beam {self.settings.beam}"

    def load(self) -> None:
        """Load the weights now rather than at the first song.

        Raises:
            JudgeUnavailable: the weights cannot be had, or this machine cannot run them.
        """
        with self._lock:
            self._loaded()

    def listen(self, audio: NDArray[np.floating[Any]], sampling_rate: int) -> Heard:
        """Transcribe ``audio``, [samples] or [channels, samples], floats around ±1. Silence and scraps are no words.

        Raises:
            AudioError: not floats, not one or two dimensions, not finite, or an impossible sampling rate.
            JudgeUnavailable: see :meth:`load`.
        """
        mono = _mono(audio, sampling_rate)
        audio_seconds = len(mono) / sampling_rate
        settings = self.settings
        if audio_seconds < settings.shortest_seconds or float(np.abs(mono).max()) < settings.silence_peak:
            return Heard("", (), 0.0, audio_seconds)
        with self._lock:
            model = self._loaded()
            start = time.perf_counter()
            found, _ = model.transcribe(
                _resample(mono, sampling_rate),
                language=settings.language,
                beam_size=settings.beam,
                temperature=settings.temperature,
                condition_on_previous_text=settings.condition_on_previous_text,
                vad_filter=settings.vad_filter,
                without_timestamps=settings.without_timestamps,
                no_speech_threshold=settings.no_speech_threshold,
                log_prob_threshold=settings.log_prob_threshold,
                max_new_tokens=token_allowance(settings, audio_seconds),
            )
            segments = tuple(  # a generator: the listening happens here
                Segment(s.text.strip(), s.avg_logprob, s.compression_ratio, s.no_speech_prob, float(s.temperature or 0))
                for s in found
            )
            seconds = time.perf_counter() - start
        return Heard(" ".join(s.text for s in segments if s.text), segments, seconds, audio_seconds)

    def _loaded(self) -> WhisperModel:
        if self._model is None:
            folder = resolve_weights(self.name)
            from faster_whisper import WhisperModel

            try:
                self._model = WhisperModel(
                    folder, device=self.device, compute_type=self.compute_type, cpu_threads=self.threads
                )
            except (RuntimeError, ValueError, OSError) as error:
                raise JudgeUnavailable(
                    f"the judge {self.name!r} in {folder} does not load on {self.device} as {self.compute_type}: "
                    f"{error}. Device 'cpu' with compute type 'int8' runs everywhere; if the folder is in the cache, "
                    "delete it and it will be made again"
                ) from error
        return self._model


def token_allowance(settings: JudgeSettings, audio_seconds: float) -> int:
    """The most tokens a judge may write for one window of a song of this length."""
    seconds = min(audio_seconds, _WINDOW_SECONDS)
    return min(settings.most_tokens, settings.spare_tokens + math.ceil(settings.tokens_per_second * seconds))


def _mono(audio: NDArray[np.floating[Any]], sampling_rate: int) -> NDArray[np.float32]:
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
        return np.zeros(0, dtype=np.float32)
    mono: NDArray[np.float32] = (audio.mean(axis=0) if audio.ndim == 2 else audio).astype(np.float32)
    return mono


def _resample(mono: NDArray[np.float32], sampling_rate: int) -> NDArray[np.float32]:
    if sampling_rate == _WHISPER_RATE:
        return mono
    from scipy.signal import resample_poly

    common = math.gcd(sampling_rate, _WHISPER_RATE)
    resampled: NDArray[np.float32] = resample_poly(mono, _WHISPER_RATE // common, sampling_rate // common).astype(
        np.float32
    )
    return resampled


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1
