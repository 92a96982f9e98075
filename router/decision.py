"""What a router decides for one prompt, and all that a person may want to know about why.

Plain data: no model, no fitting. ``dataclasses.asdict`` gives JSON without NaN.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Why = Literal["predicted", "abstained", "unknown ground", "no signal", "instrumental", "unavailable"]


@dataclass(frozen=True)
class Candidate:
    """One composition a prompt might be sung by.

    ``wer``: predicted word error rate, capped at 1, of the mean over seeds; ``low`` to ``high``: where 80 % of prompts
    unseen in fitting ended up. ``gain``: predicted WER of the default less that of this one, ``chance``: probability
    that the gain is above zero. ``available``: whether all its adapters are on the shelf as they were when fitted;
    ``reason`` says why not.
    """

    name: str
    composition: dict[str, float]
    wer: float
    low: float
    high: float
    gain: float
    chance: float
    available: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Neighbour:
    """A fitted prompt like the one asked about: ``distance`` is 1 - cosine of the sentence embeddings; ``wer`` its
    measured WER by composition name, ``songs`` how many songs of each."""

    prompt: str
    genre: str
    caption: str
    distance: float
    wer: dict[str, float]
    songs: int


@dataclass(frozen=True)
class Decision:
    """``name`` and ``composition``: what to sing with, a candidate or a mix that was not measured; ``wer``, ``low`` and
    ``high`` of a mix are those of the candidate nearest to it. ``candidates``: all, best predicted first. ``distance``:
    to the nearest fitted prompt; ``known_share``: share of fitted prompts that are farther from their own nearest one
    of another genre, so near 0 is unknown ground. ``why`` is the kind of decision and ``reason`` one sentence for a
    person. ``order``: names of the available candidates in the order a cascade tries them, a mix in place of the one
    nearest to it."""

    name: str
    composition: dict[str, float]
    wer: float
    low: float
    high: float
    default: str
    policy: str
    why: Why
    reason: str
    candidates: tuple[Candidate, ...]
    neighbours: tuple[Neighbour, ...]
    distance: float
    known_share: float
    order: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def abstained(self) -> bool:
        """Whether the default was taken for want of a credible gain."""
        return self.why != "predicted"

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**asdict(self), "abstained": self.abstained}
