"""What a router is worth on genres it never saw, and all figures that a report shows of it.

Predictions are made by :mod:`router.held_out` and scored by every judge in the same way. Where there is another judge
than the one fitted to, its word decides; the other flatters.

The opponent is the single composition that is best over all prompts, those included that it is scored on: the favour is
the opponent's. A default chosen without the genre it is scored on, as the router's is and that of the policy "best
single", would be an easy one where compositions are about equal: whatever a genre prefers, leaving it out tips the
scale the other way. Knows no file and no page.
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
from router.held_out import HeldOut, Progress, hold_out_genres, mix_held
from router.policies.search import select_policy
from router.policies.space import fit_space
from router.scoring import Way, estimate_by_genre, find_oracle_rates, score_ways
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
    over compositions that may be chosen, ``controls`` [controls, P]; NaN of prompts it did not hear."""

    judge: str
    rates: NDArray[np.float64]
    controls: NDArray[np.float64]
    oracle: NDArray[np.float64]
    known: NDArray[np.bool_]


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
) -> Validation:
    """Leave every genre out once, and score what is chosen for it.

    Args:
        examples: all of them, controls among the compositions.
        features: of the prompts of ``examples``.
        scoring: lattices by judge, of the same compositions; the examples' own unless given.
        controls: compositions that are scored, and never chosen.
        progress: told how many genres are done, and of how many.

    Raises:
        RouterError: controls are unknown or leave nothing to choose between, or the confidence is out of range.
        LatticeError: a judge lacks a composition.
    """
    import sklearn.neighbors  # noqa: F401  loaded first: the threads of what comes later would not be limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    check_confidence(confidence)
    learnt = examples.select(_leave_out(examples, controls))
    with threadpool_limits(1):  # the matrices are small: threads would mostly wait for each other
        return _validate(
            learnt,
            features,
            scoring or {examples.judge: examples.lattice},
            controls,
            confidence,
            seed,
            progress,
            permutations,
        )


def _validate(
    learnt: Examples,
    features: Features,
    scoring: Mapping[str, Lattice],
    controls: Sequence[str],
    confidence: float,
    seed: int,
    progress: Progress | None,
    permutations: int,
) -> Validation:
    started = time.monotonic()
    held = hold_out_genres(learnt, features, confidence, seed, progress)
    heard = [_listen(judge, lattice, learnt, controls, seed) for judge, lattice in scoring.items()]
    default = find_default(learnt)
    judged = [_judge(one, _list_ways(one, learnt, held, controls, default), learnt, default, seed) for one in heard]
    deciding = next((i for i, one in enumerate(heard) if one.judge != learnt.judge), 0)
    main, told = heard[deciding], judged[deciding]
    selection = select_policy(features, pair(learnt, default), seed=seed)
    permuted = permute_labels(learnt, features, selection, main.rates, confidence, permutations, seed)
    router = next(score for score in told.scores if score.kind == "router")
    signal, sentence = describe_signal(told, router, permuted)
    mixes, blending = _compare_blends(main, learnt, held, signal, seed)
    found = OutOfFold(learnt.compositions, held.router.wer, learnt.rates.T, learnt.genres, held.default)
    findings = Findings(
        kind="fit",
        policy=selection.name,
        default=learnt.compositions[default],
        compositions=learnt.compositions,
        controls=tuple(controls),
        prompts=len(learnt.prompts),
        genres=len(set(learnt.genres)),
        seeds=learnt.lattice.seeds,
        judges=tuple(judged),
        genre_rows=_list_genres(main, _list_ways(main, learnt, held, controls, default), learnt),
        risk=_trace_risk(main, learnt, held, default, seed),
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


def _leave_out(examples: Examples, controls: Sequence[str]) -> list[str]:
    if unknown := [name for name in controls if name not in examples.compositions]:
        raise RouterError(
            f"the control {unknown[0]} was not measured: choose from {', '.join(examples.compositions)}, or none"
        )
    left = [name for name in examples.compositions if name not in controls]
    if len(left) < 2:
        raise RouterError(
            f"without its controls ({', '.join(controls)}) the table has {' and '.join(left) or 'no composition'} "
            "only, so there is nothing to choose between: name fewer controls or measure another adapter"
        )
    return left


def _listen(judge: str, lattice: Lattice, learnt: Examples, controls: Sequence[str], seed: int) -> _Heard:
    able = lattice.select(learnt.compositions)
    places = {prompt: p for p, prompt in enumerate(lattice.prompts)}
    known = np.array([prompt in places for prompt in learnt.prompts])
    if not known.any():
        raise RouterError(f"the judge {judge!r} heard none of the prompts that are fitted: score by another one")
    at = [places[prompt] for prompt in learnt.prompts if prompt in places]

    def spread(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = np.full((*rates.shape[:-1], len(known)), np.nan)
        spread[..., known] = rates[..., at]
        return spread

    beside = lattice.select(controls).prompt_rates if controls else np.zeros((0, len(lattice.prompts)))
    return _Heard(judge, spread(able.prompt_rates), spread(beside), spread(find_oracle_rates(able, seed)), known)


def _list_ways(heard: _Heard, learnt: Examples, held: HeldOut, controls: Sequence[str], default: int) -> list[Way]:
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
    ways += [Way(name, "control", heard.controls[c, heard.known], 1.0) for c, name in enumerate(controls)]
    return ways


def _judge(heard: _Heard, ways: Sequence[Way], learnt: Examples, default: int, seed: int) -> Judged:
    single, oracle = heard.rates[default, heard.known], heard.oracle[heard.known]
    selecting = heard.judge == learnt.judge
    return score_ways(ways, single, oracle, _genres(heard, learnt), heard.judge, selecting, seed)


def _list_genres(heard: _Heard, ways: Sequence[Way], learnt: Examples) -> tuple[GenreRow, ...]:
    genres = np.array(_genres(heard, learnt))
    return tuple(
        GenreRow(str(name), int((genres == name).sum()), {w.name: float(w.wer[genres == name].mean()) for w in ways})
        for name in dict.fromkeys(genres.tolist())
    )


def _trace_risk(heard: _Heard, learnt: Examples, held: HeldOut, default: int, seed: int) -> tuple[RiskPoint, ...]:
    rows = np.arange(len(heard.known))
    single = heard.rates[default]
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
