"""What a router is worth on genres it never saw, and all figures that a report shows of it.

Predictions are made by :mod:`router.held_out` and scored by every judge in the same way. Where there is another judge
than the one fitted to, its word decides; the other flatters.

The opponent is, for each judge, the single composition with the lowest WER over all prompts as that judge scores
them, those included that it is scored on: the favour is the opponent's. A default chosen without the genre it is scored
on, as the router's is and that of the policy "best single", would be an easy one where compositions are about equal:
whatever a genre prefers, leaving it out tips the scale the other way. Knows no file and no page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice
from router.blends import NO_BLENDS, Mixer, describe_blending
from router.calibration import OutOfFold, calibrate
from router.choosing import CONFIDENCE, check_confidence
from router.controls import PERMUTATIONS, permute_labels
from router.errors import RouterError
from router.examples import Examples, find_default, pair
from router.features import Features
from router.findings import Findings, GenreRow, Judged, Kind, MapPoint, RiskPoint
from router.gaps import leave_out
from router.held_out import HeldOut, Progress, hold_out_genres, mix_held
from router.policies.search import select_policy
from router.policies.space import fit_space
from router.scoring import (
    Way,
    estimate_by_genre,
    find_opponent,
    find_oracle_rates,
    mean_of_ways,
    score_ways,
    spread_rates,
)
from router.signal import describe_signal

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
ROUTER, RANDOM, BLENDED = "router", "random choice", "mixed by gain"


@dataclass(frozen=True, eq=False)
class Validation:
    """``signal``: whether choosing by prompt is shown to pay; the sentence is ``findings.signal``. ``low``, ``high``
    [C]: quantiles of measured less predicted WER of unseen prompts, of each composition that may be chosen.
    ``settings`` of the policy that ``findings`` names, and ``mixer``: both found with all examples. ``mixes``: whether
    mixing is shown to be better than picking; the sentence is ``findings.blending``."""

    findings: Findings
    out_of_fold: OutOfFold
    signal: bool
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    settings: dict[str, Any]
    mixer: Mixer | None
    mixes: bool

    @property
    def mixing(self) -> float | None:
        """Temperature of the mixer, None where nothing is mixed."""
        return self.mixer.temperature if self.mixes and self.mixer else None


@dataclass(frozen=True, eq=False)
class _Heard:
    """What one judge heard of the ``known`` prompts of all: uncapped ``rates`` [C, P] and the honest ``oracle`` [P]
    over compositions that may be chosen; NaN of prompts it did not hear. ``controls``: of each its rates [P] and those
    of the opponent in the same songs; NaN where it did not sing."""

    judge: str
    rates: NDArray[np.float64]
    controls: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    oracle: NDArray[np.float64]
    known: NDArray[np.bool_]

    @property
    def opponent(self) -> int:
        """Column of the best single composition as this judge scores it."""
        return find_opponent(self.rates[:, self.known])


def validate(
    examples: Examples,
    features: Features,
    *,
    scoring: Mapping[str, Lattice] | None = None,
    controls: Sequence[str] = (),
    confidence: float = CONFIDENCE,
    seed: int = 0,
    progress: Progress | None = None,
    permutations: int = PERMUTATIONS,
    beside: Mapping[str, Mapping[str, Lattice]] | None = None,
) -> Validation:
    """Leave every genre out once, and score what is chosen for it.

    Args:
        examples: all of them; controls may be among the compositions.
        features: of the prompts of ``examples``.
        scoring: lattices by judge, of the same compositions; the examples' own unless given.
        controls: compositions that are scored, and never chosen.
        progress: told how many genres are done, and of how many.
        beside: by judge and control the songs that control and all others sang, of all that may be chosen and the
            control; unless given, the lattices of ``scoring`` have them.

    Raises:
        RouterError: controls are unknown or leave nothing to choose between, or the confidence is out of range.
        LatticeError: a judge lacks a composition.
    """
    import sklearn.neighbors  # noqa: F401  loaded first: the threads of what comes later would not be limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    check_confidence(confidence)
    scoring = scoring or {examples.judge: examples.lattice}
    learnt = examples.select(leave_out(examples.compositions, controls if beside is None else ()))
    if beside is None:
        beside = {
            judge: {name: lattice.select([*learnt.compositions, name]) for name in controls}
            for judge, lattice in scoring.items()
        }
    with threadpool_limits(1):  # the matrices are small: threads would mostly wait for each other
        return _validate(
            learnt,
            features,
            scoring,
            beside,
            confidence,
            seed,
            progress,
            permutations,
        )


def _validate(
    learnt: Examples,
    features: Features,
    scoring: Mapping[str, Lattice],
    beside: Mapping[str, Mapping[str, Lattice]],
    confidence: float,
    seed: int,
    progress: Progress | None,
    permutations: int,
) -> Validation:
    started = time.monotonic()
    held = hold_out_genres(learnt, features, confidence, seed, progress)
    heard = [_listen(judge, lattice, learnt, beside.get(judge, {}), seed) for judge, lattice in scoring.items()]
    default = find_default(learnt)
    judged = [_judge(one, _list_ways(one, learnt, held, default), learnt, seed) for one in heard]
    deciding = next((i for i, one in enumerate(heard) if one.judge != learnt.judge), 0)
    main, told = heard[deciding], judged[deciding]
    selection = select_policy(features, pair(learnt, default), seed=seed)
    permuted = permute_labels(
        learnt, features, selection, held.selected, main.rates, main.opponent, confidence, permutations, seed
    )
    router = next(score for score in told.scores if score.kind == "router")
    name = learnt.compositions[default]
    signal, sentence = describe_signal(told, router, permuted, name, learnt.lattice.seeds)
    mixes, blending = _compare_blends(main, learnt, held, signal, seed)
    found = OutOfFold(learnt.compositions, held.router.wer, learnt.rates.T, learnt.genres, held.default)
    findings = Findings(
        kind="fit",
        policy=selection.name,
        default=name,
        compositions=learnt.compositions,
        controls=tuple(main.controls),
        prompts=len(learnt.prompts),
        genres=len(set(learnt.genres)),
        seeds=learnt.lattice.seeds,
        judges=tuple(judged),
        genre_rows=_list_genres(main, _list_ways(main, learnt, held, default), learnt),
        risk=_trace_risk(main, learnt, held, seed),
        calibration=calibrate(found),
        map=_draw_map(main, learnt, held, features),
        permuted=permuted,
        curves=(),
        signal=sentence,
        blending=blending,
        seconds=time.monotonic() - started,
    )
    mixer = mix_held(learnt, np.ones(len(learnt.prompts), dtype=bool), selection)
    return Validation(findings, found, signal, *found.bound(), selection.settings, mixer, mixes)


def _listen(judge: str, lattice: Lattice, learnt: Examples, beside: Mapping[str, Lattice], seed: int) -> _Heard:
    able = lattice.select(learnt.compositions)
    known = np.isin(learnt.prompts, lattice.prompts)
    if not known.any():
        raise RouterError(f"the judge {judge!r} heard none of the prompts that are fitted: score by another one")
    rates = spread_rates(able.prompt_rates, lattice.prompts, learnt.prompts)
    opponent = learnt.compositions[find_opponent(rates[:, known])]
    controls = {}
    for name, sung in beside.items():
        both = spread_rates(sung.select([name, opponent]).prompt_rates, sung.prompts, learnt.prompts)
        both[:, ~known] = np.nan
        if np.isfinite(both).any():
            controls[name] = (both[0], both[1])
    oracle = spread_rates(find_oracle_rates(able, seed), lattice.prompts, learnt.prompts)
    return _Heard(judge, rates, controls, oracle, known)


def _list_ways(heard: _Heard, learnt: Examples, held: HeldOut, default: int) -> list[Way]:
    """All ways of choosing, on the prompts that the judge heard."""
    rates = heard.rates[:, heard.known]
    rows = np.arange(rates.shape[1])

    def way(name: str, kind: Kind, choice: NDArray[np.intp]) -> Way:
        chosen = choice[heard.known]
        return Way(name, kind, rates[chosen, rows], float((chosen != default).mean()))

    ways = [way(ROUTER, "router", held.router.choice)]
    ways += [way(name, "policy", picks.choice) for name, picks in held.policies.items()]
    if held.blended is not None:
        ways.append(way(BLENDED, "policy", held.blended))
    ways += [
        way(name, "single", np.full(len(heard.known), c, dtype=np.intp)) for c, name in enumerate(learnt.compositions)
    ]
    ways.append(Way(RANDOM, "control", rates.mean(0), 1 - 1 / len(rates)))
    for name, (sung, against) in heard.controls.items():
        ways.append(Way(name, "control", sung[heard.known], 1.0, single=against[heard.known]))
    return ways


def _judge(heard: _Heard, ways: Sequence[Way], learnt: Examples, seed: int) -> Judged:
    single, oracle = heard.rates[heard.opponent, heard.known], heard.oracle[heard.known]
    selecting, name = heard.judge == learnt.judge, learnt.compositions[heard.opponent]
    return score_ways(ways, single, oracle, _genres(heard, learnt), heard.judge, selecting, seed, name)


def _list_genres(heard: _Heard, ways: Sequence[Way], learnt: Examples) -> tuple[GenreRow, ...]:
    genres = np.array(_genres(heard, learnt))
    return tuple(
        GenreRow(str(name), int((genres == name).sum()), mean_of_ways(ways, genres == name))
        for name in dict.fromkeys(genres.tolist())
    )


def _trace_risk(heard: _Heard, learnt: Examples, held: HeldOut, seed: int) -> tuple[RiskPoint, ...]:
    rows = np.arange(len(heard.known))
    single = heard.rates[heard.opponent]
    points = []
    for threshold in THRESHOLDS:
        choice = held.router.at(held.default, threshold)
        rates = heard.rates[choice, rows]
        both = np.stack([rates, single - rates])[:, heard.known]
        wer, gain = estimate_by_genre(both, _genres(heard, learnt), seed)
        points.append(RiskPoint(threshold, float((choice != held.default)[heard.known].mean()), wer, gain))
    return tuple(points)


def _draw_map(heard: _Heard, learnt: Examples, held: HeldOut, features: Features) -> tuple[MapPoint, ...]:
    """``gain``: measured, over the fold's default; 0 of prompts that the judge did not hear."""
    from sklearn.decomposition import PCA

    places = fit_space(features).place(features, lyrics_weight=0.5)
    plane = np.zeros((len(places), 2))
    if np.ptp(places, axis=0).any():  # else all prompts are alike, and there are no directions
        found = PCA(min(2, *places.shape), svd_solver="full").fit_transform(places)
        plane[:, : found.shape[1]] = found
    rows = np.arange(len(heard.known))
    gains = np.nan_to_num(heard.rates[held.default, rows] - heard.rates[held.router.choice, rows])
    return tuple(
        MapPoint(
            prompt,
            learnt.genres[p],
            learnt.texts[p].caption,
            float(plane[p, 0]),
            float(plane[p, 1]),
            learnt.compositions[held.router.choice[p]],
            float(gains[p]),
        )
        for p, prompt in enumerate(learnt.prompts)
    )


def _compare_blends(heard: _Heard, learnt: Examples, held: HeldOut, signal: bool, seed: int) -> tuple[bool, str]:
    if held.blended is None:
        return False, NO_BLENDS
    rows = np.arange(len(heard.known))
    gains = (heard.rates[held.router.choice, rows] - heard.rates[held.blended, rows])[heard.known]
    gain = estimate_by_genre(gains[None], _genres(heard, learnt), seed)[0]
    return describe_blending(gain, float(held.asked[heard.known].mean()), signal)


def _genres(heard: _Heard, learnt: Examples) -> list[str]:
    return [genre for genre, known in zip(learnt.genres, heard.known, strict=True) if known]
