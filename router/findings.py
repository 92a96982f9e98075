"""What fitting and testing a router found, as plain data: report, terminal and page show the same figures.

Knows no statistics: how the figures come about is said where they are made (``router.validation``, ``router.replay``).
``dataclasses.asdict`` gives JSON without NaN, and :func:`read_findings` reads it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from eval.resampling import Estimate

Kind = Literal["router", "policy", "single", "control", "oracle", "cascade"]


@dataclass(frozen=True)
class Score:
    """One way of choosing, scored over prompts by one judge; rates are macro WER, uncapped.

    ``gain``: best single less this one, above zero is better; ``regret``: this one less the honest oracle;
    ``gap_closed``: ``gain`` over the best single's distance to the honest oracle, None where that distance is not above
    zero. ``wins``, ``ties``, ``losses``: prompts against the best single. ``changed``: share of prompts that got
    another composition than the default. ``songs``: mean songs sung for one prompt.
    """

    name: str
    kind: Kind
    wer: Estimate
    gain: Estimate
    regret: Estimate | None
    gap_closed: Estimate | None
    wins: int
    ties: int
    losses: int
    changed: float
    songs: float = 1.0


@dataclass(frozen=True)
class Judged:
    """All scores as one judge heard the songs. ``selecting``: whether it is the judge the router was fitted by, in
    which case its figures flatter. ``headroom``: best single less honest oracle; ``distinguishable``: whether that is
    above zero beyond chance (None: too few prompts or seeds to tell). ``opponent``: the best single composition, the
    one with the lowest WER as this judge scores it."""

    judge: str
    selecting: bool
    scores: tuple[Score, ...]
    headroom: Estimate | None
    distinguishable: bool | None
    opponent: str = ""


@dataclass(frozen=True)
class GenreRow:
    """Macro WER of one genre by way of choosing, as the independent judge heard it."""

    genre: str
    prompts: int
    wer: dict[str, float]


@dataclass(frozen=True)
class RiskPoint:
    """One threshold of the chance of a gain: ``coverage`` of prompts are routed away from the default, the others
    are sung by it; ``wer`` of all prompts, ``gain`` over the best single."""

    threshold: float
    coverage: float
    wer: Estimate
    gain: Estimate


@dataclass(frozen=True)
class CalibrationBin:
    """Prompts of like predicted WER: means, and how many."""

    predicted: float
    observed: float
    prompts: int


@dataclass(frozen=True)
class Calibration:
    """Predicted against measured WER of unseen prompts, all compositions. ``covered``: share of measured WER within the
    interval that promises ``promised``; ``correlation``: Spearman's, of prompts, of the default's WER."""

    bins: tuple[CalibrationBin, ...]
    promised: float
    covered: float
    correlation: float | None


@dataclass(frozen=True)
class MapPoint:
    """A fitted prompt on the plane of the first two principal components of its features, and what is chosen for it
    when its genre is left out of the fit."""

    prompt: str
    genre: str
    caption: str
    x: float
    y: float
    name: str
    gain: float


@dataclass(frozen=True)
class CurvePoint:
    """A cascade of at most ``budget`` songs that stops at ``stop_wer`` of the selecting judge. ``songs``: mean sung."""

    budget: int
    stop_wer: float
    songs: float
    selecting: Estimate
    independent: Estimate | None


@dataclass(frozen=True)
class Curve:
    """One order of trying: "router", "fixed", "random", "new seed", "router, new seeds", "fixed, new seeds" or "best
    single, new seeds"; see :func:`router.replay.draw_curves`."""

    order: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Findings:
    """All that is known about a fitted router, or of its test.

    ``kind``: "fit" is leave-one-genre-out on the table it was fitted on, "test" songs of prompts it never saw.
    ``signal``: one sentence on whether there is anything to route, ``blending`` one on blends. ``permuted``: gains of
    routers fitted to shuffled prompts; none where the router looks at no prompt.
    """

    kind: Literal["fit", "test"]
    policy: str
    default: str
    compositions: tuple[str, ...]
    controls: tuple[str, ...]
    prompts: int
    genres: int
    seeds: int
    judges: tuple[Judged, ...]
    genre_rows: tuple[GenreRow, ...]
    risk: tuple[RiskPoint, ...]
    calibration: Calibration | None
    map: tuple[MapPoint, ...]
    permuted: tuple[float, ...]
    curves: tuple[Curve, ...]
    signal: str
    blending: str
    command: str = ""
    seconds: float = 0.0


_FINDINGS = TypeAdapter(Findings)


def read_findings(given: Any) -> Findings:
    """Findings from their JSON.

    Raises:
        pydantic.ValidationError: it is something else.
    """
    return _FINDINGS.validate_python(given)
