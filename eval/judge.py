"""A judge: a transcriber with frozen settings that writes down what it hears.

It never knows the lyrics: there is no parameter to tell it, nor does it remember the song before. Knows nothing of
words and errors either; ``eval.wer`` compares. One judge may be shared by threads: it loads when first used and listens
to one song, or one batch of songs, at a time. Judges share nothing, so that several may listen at once.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eval.heard import Confidence, Heard, Segment
from eval.waves import RATE, AudioError, Wave, read_wave
from eval.weights import JudgeUnavailable, resolve_weights

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

__all__ = ["AudioError", "Confidence", "Heard", "Judge", "JudgeSettings", "Segment", "token_allowance"]

_WINDOW_SECONDS = 30.0
#: Songs in one call on a graphics card, unless told otherwise.
_BATCH = 8


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

    # Tokens asked for in one window of up to 30 s: spare + rate x seconds, at most ``most_tokens``. CTranslate2 counts
    # the prompt of 2 to 4 tokens in, and writes half of that at most: 22 tokens for 2.4 s, 90 for 16 s, 114 for 30 s.
    # The 120 everyday songs need 25-38, and 16 s of speech hurried to the edge of understanding 90; without a limit
    # garbled singing sends Whisper into "lololo" loops of up to 224 tokens.
    spare_tokens: int = 16
    tokens_per_second: float = 10.0
    most_tokens: int = 224

    # Whisper hears "you" in digital silence; below this peak (-80 dB) there is nothing to hear, nor is it asked.
    silence_peak: float = 1e-4
    shortest_seconds: float = 0.1


class Judge:
    """Whisper behind frozen settings.

    ``name`` is anything :func:`eval.weights.resolve_weights` takes; ``threads`` bounds the cores it uses (default: up
    to four of those this process may use). ``batch``: the most songs :meth:`listen_many` hears in one call; by default
    one on a processor, where more have not been found to be faster, and eight elsewhere.
    """

    def __init__(
        self,
        name: str = "base",
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int | None = None,
        settings: JudgeSettings | None = None,
        batch: int | None = None,
    ) -> None:
        self.name = name
        self.device = device
        self.compute_type = compute_type
        self.threads = min(4, count_cores()) if threads is None else max(1, threads)
        self.settings = settings if settings is not None else JudgeSettings()
        self.batch = (1 if device == "cpu" else _BATCH) if batch is None else max(1, batch)
        self._lock = threading.Lock()
        self._model: WhisperModel | None = None

    @property
    def title(self) -> str:
        """The judge as a table names it: "base int8 beam 5"."""
        return f"{self.name} {self.compute_type} beam {self.settings.beam}"

    def describe(self) -> dict[str, Any]:
        """All that its transcripts depend on, for the record: name, arithmetic and settings."""
        return {"name": self.name, "compute_type": self.compute_type, **asdict(self.settings)}

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
        wave = read_wave(audio, sampling_rate)
        return self._hear(wave) if self._audible(wave) else _nothing(wave)

    def listen_many(self, sounds: Sequence[tuple[NDArray[np.floating[Any]], int]]) -> list[Heard | AudioError]:
        """Transcribe pairs of audio and sampling rate as :meth:`listen` does, up to ``batch`` of them in one call.

        What cannot be listened to has its error in its place, so that no song is lost for the sake of another. Longer
        songs than Whisper's window of 30 s, and judges of other settings than can be batched, go one by one.

        Raises:
            JudgeUnavailable: see :meth:`load`.
        """
        found: dict[int, Heard | AudioError] = {}
        together: list[tuple[int, Wave]] = []
        for place, (audio, sampling_rate) in enumerate(sounds):
            try:
                wave = read_wave(audio, sampling_rate)
            except AudioError as error:
                found[place] = error
                continue
            if not self._audible(wave):
                found[place] = _nothing(wave)
            elif self._batches and wave.seconds <= _WINDOW_SECONDS:
                together.append((place, wave))
            else:
                found[place] = self._hear(wave)
        # Songs of like length in one call, since all wait for the longest transcript and share its allowance.
        together.sort(key=lambda one: one[1].seconds)
        for first in range(0, len(together), self.batch):
            some = together[first : first + self.batch]
            heard = self._hear_together([wave for _, wave in some])
            found |= zip((place for place, _ in some), heard, strict=True)
        return [found[place] for place in range(len(sounds))]

    @property
    def _batches(self) -> bool:
        # With these faster-whisper does the same in both ways: it samples, parts and filters differently.
        settings = self.settings
        return self.batch > 1 and settings.without_timestamps and not settings.vad_filter and settings.temperature == 0

    def _audible(self, wave: Wave) -> bool:
        return wave.seconds >= self.settings.shortest_seconds and wave.peak >= self.settings.silence_peak

    def _hear(self, wave: Wave) -> Heard:
        with self._lock:
            model = self._loaded()
            start = time.perf_counter()
            found, _ = model.transcribe(wave.resampled(), **self._options(token_allowance(self.settings, wave.seconds)))
            segments = tuple(  # a generator: the listening happens here
                Segment(s.text.strip(), s.avg_logprob, s.compression_ratio, s.no_speech_prob, float(s.temperature or 0))
                for s in found
            )
            seconds = time.perf_counter() - start
        return Heard(" ".join(s.text for s in segments if s.text), segments, seconds, wave.seconds)

    def _hear_together(self, waves: Sequence[Wave]) -> list[Heard]:
        """Songs of one window each, in one call.

        A call has one allowance of tokens, the largest of its songs'; a song that may have been cut at its own is heard
        again alone. One that was not is left, though a beam that ran on and lost might have won had it been cut.
        """
        from faster_whisper import BatchedInferencePipeline

        samples = [wave.resampled() for wave in waves]
        allowances = [token_allowance(self.settings, wave.seconds) for wave in waves]
        ends = np.cumsum([len(s) for s in samples])
        # The pipeline cuts at int(seconds * rate): half a sample more keeps that from rounding to the one before.
        places = [
            {"start": (end - len(s) + 0.5) / RATE, "end": (end + 0.5) / RATE}
            for end, s in zip(ends, samples, strict=True)
        ]
        with self._lock:
            model = self._loaded()
            start = time.perf_counter()
            found, _ = BatchedInferencePipeline(model).transcribe(
                np.concatenate(samples),
                clip_timestamps=places,
                batch_size=len(samples),
                **self._options(max(allowances)),
            )
            windows = list(found)
            seconds = (time.perf_counter() - start) / len(waves)
        return [
            # Alone a text ends at half of prompt and allowance together, see JudgeSettings.
            self._heard(wave, window, seconds) if len(window.tokens) < allowance // 2 else self._hear(wave)
            for wave, window, allowance in zip(waves, windows, allowances, strict=True)
        ]

    def _heard(self, wave: Wave, window: Any, seconds: float) -> Heard:
        """A window of a batch as ``WhisperModel.transcribe`` would have told it: it drops what the batch keeps."""
        from faster_whisper.transcribe import get_compression_ratio

        text, settings = window.text.strip(), self.settings
        silent = window.no_speech_prob > settings.no_speech_threshold
        if not text or (silent and window.avg_logprob <= settings.log_prob_threshold):
            return Heard("", (), seconds, wave.seconds)
        ratio = get_compression_ratio(text)
        segment = Segment(text, window.avg_logprob, ratio, window.no_speech_prob, settings.temperature)
        return Heard(text, (segment,), seconds, wave.seconds)

    def _options(self, allowance: int) -> dict[str, Any]:
        settings = self.settings
        return {
            "language": settings.language,
            "beam_size": settings.beam,
            "temperature": settings.temperature,
            "condition_on_previous_text": settings.condition_on_previous_text,
            "vad_filter": settings.vad_filter,
            "without_timestamps": settings.without_timestamps,
            "no_speech_threshold": settings.no_speech_threshold,
            "log_prob_threshold": settings.log_prob_threshold,
            "max_new_tokens": allowance,
        }

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
    """The tokens a judge is asked for in one window of a song of this length; it writes about half at most."""
    seconds = min(audio_seconds, _WINDOW_SECONDS)
    return min(settings.most_tokens, settings.spare_tokens + math.ceil(settings.tokens_per_second * seconds))


def _nothing(wave: Wave) -> Heard:
    return Heard("", (), 0.0, wave.seconds)


def count_cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1
