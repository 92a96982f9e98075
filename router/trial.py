"""A fitted router on songs of prompts it never saw, beside every rival: what it would choose, and what comes of it.

The songs are already sung and judged, so that a trial costs nothing. The router and the cascades choose and stop by the
judge the router was fitted by; another judge, where one listened, scores them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice, LatticeError
from eval.table import Table
from router.calibration import OutOfFold, calibrate
from router.cascade import STOP_WER
from router.choosing import check_confidence
from router.decision import Decision
from router.errors import RouterError
from router.examples import make_examples
from router.findings import Calibration, Findings, GenreRow, Judged, Kind, RiskPoint, Score
from router.gaps import keep_compositions
from router.prompt import RouterPrompt
from router.replay import Heard, draw_curves, pair_judges, replay
from router.retries import RETRY
from router.router import Router
from router.router_file import FittedPrompt, RouterFile, name_lines, name_lyrics
from router.scoring import (
    Way,
    estimate_by_genre,
    find_opponent,
    find_oracle_rates,
    mean_of_ways,
    score_ways,
    spread_rates,
)
from router.signal import describe_signal, describe_unused
from router.validation import RANDOM, ROUTER, THRESHOLDS

#: Songs at most of the cascades that get a row of their own among the scores.
BUDGETS = (2, 3)
NOT_MIXED = "The router mixes adapters by predicted gain; here it chose among what was sung, and mixed nothing."


@dataclass(frozen=True, eq=False)
class _Trial:
    """``judges``: who selects, and who scores besides. ``names`` [C]: compositions that both router and table have;
    ``beside``: by name what the table has besides, the songs that it and all of ``names`` sang. ``decisions`` of the P
    prompts that all judges heard, in their order.
    """

    judges: tuple[str, ...]
    heard: Heard
    beside: dict[str, Heard]
    names: tuple[str, ...]
    decisions: tuple[Decision, ...]
    default: int

    @property
    def chosen(self) -> NDArray[np.intp]:
        """Column that the router takes for each prompt, [P]."""
        return np.array([self.names.index(decision.name) for decision in self.decisions])

    @property
    def order(self) -> NDArray[np.intp]:
        """Columns in the order a cascade tries them, [P, C]."""
        return np.array([[self.names.index(name) for name in decision.order] for decision in self.decisions])

    def lay_out(self, value: str) -> NDArray[np.float64]:
        """A value of the candidates, [P, C]."""
        rows = [{c.name: float(getattr(c, value)) for c in decision.candidates} for decision in self.decisions]
        return np.array([[row[name] for name in self.names] for row in rows])

    def at(self, confidence: float) -> NDArray[np.intp]:
        """Column taken if that chance of a gain were asked for, [P], whether fitting found a signal or not."""
        check_confidence(confidence)
        known = np.array([decision.why != "unknown ground" for decision in self.decisions])
        gains, chances = self.lay_out("gain"), self.lay_out("chance")
        credible = np.where((chances >= confidence) & (gains > 0) & known[:, None], gains, -np.inf)
        return np.where(np.isfinite(credible).any(1), credible.argmax(1), self.default)


def try_router(router: Router, table: Table, *, seed: int = 0) -> Findings:
    """Ask the router about every prompt of ``table`` and score what it answers.

    Raises:
        RouterError: the songs are of another model or of changed adapters, prompts are among those fitted, the judge
            fitted by did not listen, or fewer than two of the router's compositions were sung.
        LatticeError: no song was sung by all compositions.
    """
    started = time.monotonic()
    trial = _ask(router, table)
    judged = [_judge(trial, trial.heard.selecting, True, router.file, seed)]
    if trial.heard.independent is not None:
        judged.append(_judge(trial, trial.heard.independent, False, router.file, seed))
    main = trial.heard.independent or trial.heard.selecting
    means = np.array([prompt.wer for prompt in router.file.prompts]).mean(0)
    fixed = np.argsort([means[router.file.compositions.index(name)] for name in trial.names], kind="stable")
    return Findings(
        kind="test",
        policy=router.file.policy.name,
        default=router.file.default,
        compositions=trial.names,
        controls=tuple(trial.beside),
        prompts=len(trial.decisions),
        genres=len(set(main.genres)),
        seeds=main.seeds,
        judges=tuple(judged),
        genre_rows=_list_genres(_list_ways(trial, main, router.file), main.genres),
        risk=_trace_risk(trial, main, seed),
        calibration=_calibrate(trial),
        map=(),
        permuted=(),
        curves=draw_curves(trial.heard, trial.order, fixed, seed=seed),
        signal=_describe(judged[-1], router.file, main.seeds),
        blending=NOT_MIXED if router.file.mixing else "",
        seconds=time.monotonic() - started,
    )


def _ask(router: Router, table: Table) -> _Trial:
    file = router.file
    if file.judge not in table.judges:
        raise RouterError(
            f"the router was fitted by the judge {file.judge!r}, who is not in the table ({', '.join(table.judges)}): "
            "have it listen to the same songs"
        )
    _check_origin(router, table)
    names = tuple(name for name in table.compositions if name in file.compositions)
    if len(names) < 2 or file.default not in names:
        raise RouterError(
            f"of the router's compositions ({', '.join(file.compositions)}; default {file.default}) the table has "
            f"{', '.join(names) or 'none'}: sing the default and at least one other"
        )
    independent = next((judge for judge in table.judges if judge != file.judge), None)
    songs = keep_compositions(table, names)
    heard = pair_judges(songs, file.judge, independent).select(names)
    examples = make_examples(songs, file.judge)
    texts = dict(zip(examples.prompts, examples.texts, strict=True))
    asked = [texts[prompt] for prompt in heard.selecting.prompts]
    _check_unseen(file, heard.selecting.prompts, asked)
    decisions = tuple(router.route(text, only=names) for text in asked)
    judges = (file.judge, *([independent] if independent else []))
    beside = {}
    for control in (name for name in table.compositions if name not in names):
        with suppress(LatticeError, RouterError):  # it shares no song with them, so that nothing can be said of it
            both = keep_compositions(table, (*names, control))
            beside[control] = pair_judges(both, file.judge, independent).select([*names, control])
    return _Trial(judges, heard, beside, names, decisions, names.index(file.default))


def _check_origin(router: Router, table: Table) -> None:
    """Songs of another model, or of adapters that have changed, tell nothing of this router."""
    if mark := table.about.get("model_fingerprint"):
        router.check(str(mark))
    now, fitted = table.about.get("adapters", {}), router.file.adapters
    changed = [name for name, mark in fitted.items() if name in now and now[name] != mark]
    if changed:
        raise RouterError(
            f"the table's songs are by other adapters than those fitted under the same names ({', '.join(changed)}): "
            "measure and fit anew"
        )


def _check_unseen(file: RouterFile, prompts: Sequence[str], texts: Sequence[RouterPrompt]) -> None:
    pairs = zip(prompts, texts, strict=True)
    seen = {name: found for name, text in pairs if (found := _find_seen(file.prompts, name, text)) is not None}
    if seen:
        first = next(iter(seen))
        raise RouterError(
            f"{len(seen)} of the table's {len(prompts)} prompts have the name, the lyrics or most lines of one that "
            f"the router was fitted to ({first!r} is its {seen[first]!r}): a test needs prompts it never saw, such as "
            "eval/prompts/test.jsonl"
        )


def _find_seen(fitted: Sequence[FittedPrompt], name: str, text: RouterPrompt) -> str | None:
    """Id of a fitted prompt with that name, those lyrics, or over half of their lines."""
    mark, lines = name_lyrics(text.lyrics), set(name_lines(text.lyrics))
    for prompt in fitted:
        if prompt.id == name or (mark and prompt.lyrics == mark) or 2 * len(lines & set(prompt.lines)) > len(lines):
            return prompt.id
    return None


def _list_ways(trial: _Trial, lattice: Lattice, file: RouterFile) -> list[Way]:
    """All ways of choosing as one judge heard them, ``lattice`` being of ``trial.names``."""
    rates = lattice.prompt_rates
    rows = np.arange(rates.shape[1])

    def way(name: str, kind: Kind, choice: NDArray[np.intp]) -> Way:
        return Way(name, kind, rates[choice, rows], float((choice != trial.default).mean()))

    ways = [
        way(ROUTER, "router", trial.chosen),
        way(_name_policy(file), "policy", trial.at(file.confidence)),
        way("best single", "policy", np.full(len(rows), trial.default)),
        *(way(name, "single", np.full(len(rows), c)) for c, name in enumerate(trial.names)),
        Way(RANDOM, "control", rates.mean(0), 1 - 1 / len(rates)),
    ]
    opponent = trial.names[find_opponent(rates)]
    for name, heard in trial.beside.items():
        beside = heard.selecting if lattice is trial.heard.selecting else heard.independent
        assert beside is not None
        sung, against = spread_rates(beside.select([name, opponent]).prompt_rates, beside.prompts, lattice.prompts)
        ways.append(Way(name, "control", sung, 1.0, single=against))
    return [*ways, *_list_cascades(trial, lattice)]


def _list_cascades(trial: _Trial, lattice: Lattice) -> list[Way]:
    """As cascades go on unless told otherwise (``router.retries``), chosen by the one judge, scored by the one asked;
    ``changed`` is of the first songs."""
    found = replay(trial.heard, trial.order, RETRY, budgets=max(BUDGETS), thresholds=(STOP_WER,))
    scored = found.selecting if lattice is trial.heard.selecting else found.independent
    assert scored is not None
    reached, moved = scored.shape[1], float((trial.chosen != trial.default).mean())
    return [
        Way(f"cascade of {b} songs at most", "cascade", scored[0, b - 1], moved, float(found.songs[0, b - 1].mean()))
        for b in BUDGETS
        if b <= reached
    ]


def _judge(trial: _Trial, lattice: Lattice, selecting: bool, file: RouterFile, seed: int) -> Judged:
    judge = trial.judges[0 if selecting else 1]
    ways = _list_ways(trial, lattice, file)
    rates = lattice.prompt_rates
    best = find_opponent(rates)
    oracle = find_oracle_rates(lattice, seed)
    return score_ways(ways, rates[best], oracle, lattice.genres, judge, selecting, seed, trial.names[best])


def _describe(judged: Judged, file: RouterFile, seeds: int) -> str:
    if not file.signal:
        policy = file.policy.name
        return describe_unused(file.default, policy, _find(judged, "policy", _name_policy(file)), judged.opponent)
    return describe_signal(judged, _find(judged, "router", ROUTER), (), file.default, seeds)[1]


def _find(judged: Judged, kind: Kind, name: str) -> Score:
    return next(score for score in judged.scores if (score.kind, score.name) == (kind, name))


def _name_policy(file: RouterFile) -> str:
    return f"{file.policy.name}, whatever the signal"


def _list_genres(ways: Sequence[Way], genres: Sequence[str]) -> tuple[GenreRow, ...]:
    of = np.array(genres)
    return tuple(
        GenreRow(name, int((of == name).sum()), mean_of_ways(ways, of == name)) for name in dict.fromkeys(genres)
    )


def _trace_risk(trial: _Trial, lattice: Lattice, seed: int) -> tuple[RiskPoint, ...]:
    rates = lattice.prompt_rates
    rows, single = np.arange(rates.shape[1]), rates[find_opponent(rates)]
    points = []
    for threshold in THRESHOLDS:
        choice = trial.at(threshold)
        wer = rates[choice, rows]
        told, gain = estimate_by_genre(np.stack([wer, single - wer]), lattice.genres, seed)
        points.append(RiskPoint(threshold, float((choice != trial.default).mean()), told, gain))
    return tuple(points)


def _calibrate(trial: _Trial) -> Calibration:
    """Coverage is of the router's own intervals, which come from fitting."""
    lattice = trial.heard.selecting
    measured = (lattice.capped.sum(-1) / lattice.present.sum(-1)).T
    default = np.full(len(measured), trial.default)
    found = calibrate(OutOfFold(trial.names, trial.lay_out("wer"), measured, lattice.genres, default))
    inside = (measured >= trial.lay_out("low") - 1e-12) & (measured <= trial.lay_out("high") + 1e-12)
    return replace(found, covered=float(inside.mean()))
