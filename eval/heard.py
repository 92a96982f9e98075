"""What a judge heard in a song, and how sure it was. Knows no judge, and not what was to be heard."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Segment:
    """What was heard in one window of up to 30 s, and how sure the judge was."""

    text: str
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    temperature: float


@dataclass(frozen=True)
class Confidence:
    """How sure a judge was of a whole song, each as its segments say; None where nothing was heard."""

    avg_logprob: float | None = None  # mean, every segment counting the same
    compression_ratio: float | None = None  # largest
    no_speech_prob: float | None = None  # largest
    temperature: float | None = None  # highest


@dataclass(frozen=True)
class Heard:
    """What one judge heard in one song."""

    text: str
    segments: tuple[Segment, ...]
    seconds: float  # spent listening, loading not included; of a batch, this song's even share
    audio_seconds: float

    @property
    def confidence(self) -> Confidence:
        """The segments' figures in one row, as in the results table."""
        if not self.segments:
            return Confidence()
        return Confidence(
            fmean(s.avg_logprob for s in self.segments),
            max(s.compression_ratio for s in self.segments),
            max(s.no_speech_prob for s in self.segments),
            max(s.temperature for s in self.segments),
        )
