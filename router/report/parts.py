"""What the page shows of each finding: its judges in order, its ways of choosing in order, its cascades by threshold.

Knows where things stand in findings, neither how they were worked out nor how they look.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eval.resampling import Estimate
from router.findings import Curve, CurvePoint, Findings, Judged, Score
from router.report.palette import Kind, pick_kind, plain_kind

#: Kinds of ways in the order they are listed, and what each is.
KINDS = {
    "router": "what was fitted",
    "cascade": "sings, listens and tries again",
    "policy": "one way of choosing by the prompt, or always the default",
    "oracle": "is told how other songs of the prompt came out",
    "single": "the same composition for all",
    "control": "holds no knowledge, so should not help",
}
#: The way that is to be beaten.
OPPONENT = "best single"
TITLES = {
    "test": "Songs of prompts it never saw",
    "fit": "Leave one genre out, on the table it was fitted on",
}
#: Orders of trying, each with a place in the palette of its own, and what each is.
ORDERS = {
    "router": "the router’s order, one noise",
    "new seed": "the router’s first choice again, new seeds",
    "fixed": "one order for all, best in fitting first",
    "random": "any order, on average",
    "router, new seeds": "the router’s order, a new seed each",
    "fixed, new seeds": "that one order, a new seed each",
    "best single, new seeds": "the best in fitting again and again, new seeds",
}
#: Columns of a heat map.
MOST_WAYS = 10
#: The threshold a cascade has by default: its chart stands first.
USUAL_STOP = 0.2


@dataclass(frozen=True)
class Part:
    """One finding: ``name`` is its mark in ids, ``judged`` its judges with the one the text is about first."""

    name: str
    title: str
    findings: Findings
    judged: tuple[Judged, ...]

    @property
    def main(self) -> Judged | None:
        """The judge the text is about: one the router was not fitted by, where there is one."""
        return self.judged[0] if self.judged else None

    @property
    def router(self) -> Score | None:
        """The router's score by that judge."""
        return find_router(self.main)

    @property
    def best_single(self) -> float | None:
        """Macro WER of the best single composition by that judge."""
        return find_best_single(self.main)

    @property
    def cascade_rival(self) -> float | None:
        """The best single composition's WER, where the judge that cascades are scored by has told it."""
        main = self.main
        same = main is not None and main.selecting != has_independent(self.findings.curves)
        return self.best_single if same else None

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Name and kind of the ways that the rows of genres hold, in the order of the score table; of too many for a
        page the policies and controls are left out."""
        held = dict.fromkeys(name for row in self.findings.genre_rows for name in row.wer)
        kinds = {score.name: score.kind for score in sort_scores(self.main)} if self.main else {}
        ordered = [name for name in kinds if name in held] + [name for name in held if name not in kinds]
        ways = [(name, str(kinds.get(name, ""))) for name in ordered]
        if len(ways) <= MOST_WAYS:
            return ways
        return [way for way in ways if way[0] == OPPONENT or way[1] not in ("policy", "control")]

    @property
    def totals(self) -> dict[str, float]:
        """Macro WER over all genres by way."""
        return {score.name: score.wer.value for score in self.main.scores} if self.main else {}


def list_parts(findings: Sequence[Findings]) -> list[Part]:
    """A part for each, tests before fits; of two of one kind the latter are numbered."""
    parts, seen = [], Counter[str]()
    for found in sorted(findings, key=lambda found: found.kind != "test"):
        seen[found.kind] += 1
        more = f" ({seen[found.kind]})" if seen[found.kind] > 1 else ""
        judged = tuple(sorted(found.judges, key=lambda judged: judged.selecting))
        parts.append(Part(f"{found.kind}{seen[found.kind]}", TITLES[found.kind] + more, found, judged))
    return parts


def sort_scores(judged: Judged) -> list[Score]:
    """The router, its opponent, and the others by kind, within one as they were found."""
    kinds = list(KINDS)
    return sorted(judged.scores, key=lambda score: (kinds.index(score.kind), 0) if score.name != OPPONENT else (0, 1))


def find_router(judged: Judged | None) -> Score | None:
    """The router's score."""
    return next((score for score in judged.scores if score.kind == "router"), None) if judged else None


def find_best_single(judged: Judged | None) -> float | None:
    """Macro WER of the best single composition: any way's WER and its gain make it up."""
    if judged is None or not judged.scores:
        return None
    first = next((score for score in judged.scores if score.name == OPPONENT), judged.scores[0])
    return first.wer.value + first.gain.value


def find_lowest(row: dict[str, float], ways: Sequence[tuple[str, str]]) -> set[str]:
    """The ways with the lowest rate of a row among those that sing one song and were not told the answer."""
    fair = {name: row[name] for name, kind in ways if name in row and kind not in ("oracle", "cascade", "control")}
    return {name for name, rate in fair.items() if rate <= min(fair.values()) + 1e-9} if len(fair) > 1 else set()


def list_stops(curves: Sequence[Curve]) -> list[float]:
    """Thresholds of cascades, the usual one first."""
    stops = {point.stop_wer for curve in curves for point in curve.points}
    return sorted(stops, key=lambda stop: (abs(stop - USUAL_STOP), stop))


def has_independent(curves: Sequence[Curve]) -> bool:
    """Whether an independent judge heard the songs of cascades."""
    return any(point.independent for curve in curves for point in curve.points)


def list_points(curve: Curve, stop: float, independent: bool) -> list[tuple[CurvePoint, Estimate]]:
    """Points of one threshold by budget, each with its WER by the judge asked for; those not heard are left out."""
    points = sorted((p for p in curve.points if p.stop_wer == stop), key=lambda point: point.budget)
    rated = [(point, point.independent if independent else point.selecting) for point in points]
    return [(point, rate) for point, rate in rated if rate is not None and math.isfinite(rate.value)]


def list_budgets(curves: Sequence[Curve], stop: float, independent: bool) -> list[int]:
    """Budgets that any cascade of one threshold has a point for."""
    return sorted({point.budget for curve in curves for point, _ in list_points(curve, stop, independent)})


def kind_of_order(order: str, curves: Sequence[Curve]) -> Kind:
    """How an order of trying is drawn."""
    unknown = [curve.order for curve in curves if curve.order not in ORDERS]
    return pick_kind(list(ORDERS).index(order) if order in ORDERS else len(ORDERS) + unknown.index(order))


def kinds_of_map(findings: Findings) -> dict[str, Kind]:
    """How each composition on the map is drawn: the default is plain, the others as often chosen."""
    counted = Counter(point.name for point in findings.map)
    chosen = [name for name, _ in counted.most_common() if name != findings.default]
    kinds = {findings.default: plain_kind()} if findings.default in counted else {}
    return kinds | {name: pick_kind(place) for place, name in enumerate(chosen)}
