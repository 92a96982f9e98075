"""Planted findings: a world in which routing pays, one of noise, and odd ones; all figures are known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eval.resampling import Estimate
from router.findings import (
    Calibration,
    CalibrationBin,
    Curve,
    CurvePoint,
    Findings,
    GenreRow,
    Judged,
    Kind,
    MapPoint,
    RiskPoint,
    Score,
)

SELECTING, INDEPENDENT = "base int8 beam 5", "tiny.en int8 beam 5"
GENRES = tuple(
    "folk pop rock jazz R&B country EDM choral indie reggae blues synthwave gospel punk bossa-nova hip-hop lo-fi "
    "ballad latin singer-songwriter funk lullaby alt-rock soul celtic tropical-house grunge disco ambient "
    "new-wave".split()
)
COMPOSITIONS = ("base", "lyrics=1", "nolyrics=1", "lyrics=0.5,nolyrics=0.5", "lyrics-asr=1", "lyrics=0.5", "random=1")
LONG = ",".join(f"an_adapter_of_a_very_long_name_number_{n}=0.3333" for n in range(3))
#: Points of the router's gain by the independent judge, and the share of the gap it closes.
GAIN, CLOSED = 0.055, 0.5


def make_estimate(value: float, spread: float | None) -> Estimate:
    """A figure with an interval of ``spread`` to either side, or with none."""
    return Estimate(value, None, None) if spread is None else Estimate(value, value - spread, value + spread)


def make_score(
    name: str, kind: Kind, wer: float, best: float, oracle: float, spread: float | None = 0.03, songs: float = 1.0
) -> Score:
    """A way of choosing whose gain, regret and share of the gap follow from its WER."""
    room = best - oracle
    closed = make_estimate((best - wer) / room, None if spread is None else spread / room) if room > 0 else None
    wins = round(100 * max(0.0, best - wer))
    return Score(
        name, kind, make_estimate(wer, spread), make_estimate(best - wer, spread), make_estimate(wer - oracle, spread),
        closed, wins + 7, 15 - wins % 5, 8, 0.0 if name == "best single" else 0.4, songs,
    )  # fmt: skip


def make_judged(judge: str, signal: bool, spread: float | None = 0.03, selecting: bool = False) -> Judged:
    """All ways by one judge; to the selecting one everything is two points better."""
    best = 0.44 - 0.02 * selecting
    gain = GAIN if signal else 0.004
    oracle = best - (gain / CLOSED if signal else -0.003)
    ways: list[tuple[str, Kind, float, float]] = [
        ("router", "router", best - gain, 1), ("ridge", "policy", best - gain - 0.004, 1),
        ("neighbours", "policy", best - gain + 0.01, 1), ("gaussian process", "policy", best - gain + 0.013, 1),
        ("best single", "policy", best, 1), ("random choice", "control", best + 0.07, 1),
        *((name, "single", best + 0.015 * at, 1) for at, name in enumerate(COMPOSITIONS[:-1])),
        ("random=1", "control", best + 0.09, 1), ("oracle", "oracle", oracle, 1),
        ("cascade of 2", "cascade", best - 0.12, 1.62), ("cascade of 3", "cascade", best - 0.2, 2.1),
    ]  # fmt: skip
    scores = tuple(make_score(name, kind, wer, best, oracle, spread, float(songs)) for name, kind, wer, songs in ways)
    headroom = make_estimate(best - oracle, spread)
    return Judged(judge, selecting, scores, headroom, None if spread is None else signal)


def make_curves(independent: bool = True) -> tuple[Curve, ...]:
    """Seven orders, three thresholds, budgets of one to five: "router" wins 0.16 times log2 of the budget."""
    worth = {
        "router": 0.16, "fixed": 0.14, "random": 0.12, "new seed": 0.11, "router, new seeds": 0.165,
        "fixed, new seeds": 0.145, "best single, new seeds": 0.1,
    }  # fmt: skip
    curves = []
    for order, gain in worth.items():
        points = []
        for stop in (0.1, 0.2, 0.3):
            for budget in range(1, 6):
                songs = 1 + (budget - 1) * (0.75 - stop)
                wer = 0.44 - gain * float(np.log2(budget))
                heard = make_estimate(wer, 0.02) if independent else None
                points.append(CurvePoint(budget, stop, songs, make_estimate(wer - 0.04, 0.02), heard))
        curves.append(Curve(order, tuple(points)))
    return tuple(curves)


def make_findings(signal: bool = True, kind: str = "test", prompts: int = 10) -> Findings:
    """Everything there can be; ``prompts`` of every genre."""
    rng = np.random.default_rng(3)
    judges = (make_judged(SELECTING, signal, selecting=True), make_judged(INDEPENDENT, signal))
    ways = ["router", "best single", "base", "lyrics=1", "nolyrics=1", "lyrics=0.5,nolyrics=0.5", "random=1", "oracle"]
    rows = [GenreRow(g, prompts, {way: float(rng.uniform(0.05, 1.3)) for way in ways}) for g in GENRES]
    slope = -0.05 if signal else 0.02
    risk = []
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        coverage = 1.6 * (1 - threshold) if signal else 0.7 * (1 - threshold)
        wer = 0.44 + slope * coverage
        risk.append(RiskPoint(threshold, coverage, make_estimate(wer, 0.03), make_estimate(0.44 - wer, 0.02)))
    where = rng.normal(size=(len(GENRES), 2)) * 3
    points = []
    for at, genre in enumerate(GENRES):
        for number in range(prompts):
            x, y = where[at] + rng.normal(size=2) * 0.6
            chosen = COMPOSITIONS[min(5, int(3 + y)) % 6] if signal and y > -1 else "base"
            points.append(
                MapPoint(f"{genre}-{number}", genre, f"a {genre} song, number {number}", float(x), float(y), chosen,
                         0.0 if chosen == "base" else 0.06)
            )  # fmt: skip
    bins = tuple(
        CalibrationBin(p, min(1.0, 0.9 * p + 0.07), 60 + 10 * at) for at, p in enumerate((0.2, 0.35, 0.5, 0.7))
    )
    return Findings(
        kind="test" if kind == "test" else "fit",
        policy="ridge",
        default="base",
        compositions=COMPOSITIONS,
        controls=("random=1",),
        prompts=prompts * len(GENRES),
        genres=len(GENRES),
        seeds=2,
        judges=judges,
        genre_rows=tuple(rows),
        risk=tuple(risk),
        calibration=Calibration(bins, 0.8, 0.77, 0.41),
        map=tuple(points),
        permuted=tuple(float(v) for v in rng.normal(0, 0.01, 20)),
        curves=make_curves(),
        signal="Choosing for every prompt pays." if signal else "No routable signal: the gain may well be none.",
        blending="Blends are switched off: they end 0.4 points above the best single pick.",
        command="choirmaster fit outputs/router/table.parquet --out router.json",
        seconds=93.4,
    )


def make_bare() -> Findings:
    """Only what has to be there: one judge, who fitted too, few prompts, no intervals, nothing drawn."""
    judged = replace(make_judged(SELECTING, True, None, selecting=True), headroom=None, distinguishable=None)
    scores = tuple(replace(s, regret=None, gap_closed=None) for s in judged.scores if s.kind in ("router", "single"))
    return replace(
        make_findings(kind="fit", prompts=1), judges=(replace(judged, scores=scores),), genre_rows=(), risk=(),
        calibration=None, map=(), permuted=(), curves=(), controls=(), signal="", blending="", command="", seconds=0.0,
    )  # fmt: skip


def make_long() -> Findings:
    """A composition whose name is far wider than a telephone, everywhere a composition is named."""
    found = make_findings()
    renamed = {"lyrics=1": LONG}

    def rename(name: str) -> str:
        return renamed.get(name, name)

    return replace(
        found,
        default=LONG,
        compositions=tuple(map(rename, found.compositions)),
        judges=tuple(replace(j, scores=tuple(replace(s, name=rename(s.name)) for s in j.scores)) for j in found.judges),
        genre_rows=tuple(replace(r, wer={rename(n): v for n, v in r.wer.items()}) for r in found.genre_rows),
        map=tuple(replace(p, name=rename(p.name)) for p in found.map),
    )
