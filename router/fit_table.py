"""A results table to a router: what ``choirmaster fit`` and the server's refits do, and all they tell on the way.

Knows tables, judges and picks; neither a terminal nor where the router is to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.composition import format_composition, parse_composition
from adapters.errors import ChoirmasterError
from eval.lattice import Lattice, LatticeError, make_lattice
from eval.table import Table
from router import held_out_curves, validation
from router.choosing import CONFIDENCE, check_confidence
from router.errors import RouterError
from router.evidence import votes_to_rows
from router.examples import Examples, find_default, make_examples
from router.features import Features, Featuriser
from router.feedback import Vote
from router.findings import Curve
from router.fitting import Evidence
from router.gaps import describe_gaps, hear_controls, keep_compositions, leave_out
from router.held_out import Progress
from router.router import Router
from router.sentences import SentenceModel
from router.validation import Validation


@dataclass(frozen=True)
class FitOptions:
    """How to fit. ``judge``: one of the table's or the beginning of its name, by default the first; ``controls``: see
    :func:`parse_controls`; ``feedback_weight``: what a pick of people weighs; ``confidence``: chance of a gain from
    which the default is left; ``seed``: of folds, resamples and shuffles."""

    judge: str = ""
    controls: str | None = None
    feedback_weight: float = 0.0
    confidence: float = CONFIDENCE
    seed: int = 0


def _nobody(*_: object) -> None: ...


@dataclass(frozen=True)
class FitWatcher:
    """Told how far a fit is. ``note``: what should be known of the table; ``say``: all else there is to say;
    ``progress``: genres left out so far, and of how many. All are told by the thread that fits."""

    note: Callable[[str], None] = _nobody
    say: Callable[[str], None] = _nobody
    progress: Progress = _nobody


@dataclass(frozen=True)
class Fittable:
    """What of a table a router can be fitted to: ``examples`` of the compositions that may be chosen, and the names of
    its ``controls``, which are scored and never chosen."""

    examples: Examples
    controls: tuple[str, ...]


def read_fittable(table: Table, options: FitOptions) -> Fittable:
    """See that a router can be fitted to a table; does none of the work.

    Raises:
        RouterError: the judge or a control is not the table's, the confidence is out of range, or there is too little
            to choose between or to be tested on.
        LatticeError: no song was sung by all compositions.
    """
    check_confidence(options.confidence)
    judge = pick_judge(options.judge, table.judges)
    controls = parse_controls(options.controls, tuple(table.compositions))
    left = leave_out(table.compositions, controls)
    return Fittable(make_examples(keep_compositions(table, left), judge), controls)


def fit_table(
    table: Table,
    options: FitOptions,
    load: Callable[[], SentenceModel],
    watcher: FitWatcher,
    picks: Sequence[Vote] = (),
    command: str = "",
) -> Router:
    """The router of a table, validated on genres it never saw.

    Args:
        load: brings the sentence model, once the table is known to be fit.
        picks: people's, which take part where they have a weight.
        command: what the findings say made them.

    Raises:
        ChoirmasterError: something of what was asked cannot be had.
    """
    there = read_fittable(table, options)
    examples, seed = there.examples, options.seed
    if gaps := describe_gaps(table, examples.judge, examples.lattice):
        watcher.note(gaps)
    model = load()
    features = Featuriser(model).describe(examples.texts)
    found = _validate(table, there, features, options, watcher)
    findings = replace(found.findings, curves=_draw_curves(table, examples, found, seed, watcher), command=command)
    return Router.fit(
        examples,
        features,
        model,
        replace(found, findings=findings),
        confidence=options.confidence,
        about=table.about,
        evidence=_weigh(picks, examples, table, options.feedback_weight, watcher),
    )


def pick_judge(asked: str, judges: list[str]) -> str:
    """The judge that is meant.

    Raises:
        RouterError: none is, or several.
    """
    if not judges:
        raise RouterError("the table has no rows: sing and judge songs with `choirmaster eval` first")
    if not asked:
        return judges[0]
    found = [name for name in judges if name == asked] or [name for name in judges if name.startswith(f"{asked} ")]
    if len(found) != 1:
        raise RouterError(f"the judge {asked[:80]!r} is not one of the table's: choose from {', '.join(judges)}")
    return found[0]


def parse_controls(text: str | None, compositions: tuple[str, ...]) -> tuple[str, ...]:
    """The compositions a text names, ``+`` joining blends; of None, those of an adapter with random weights.

    Raises:
        AdapterError: it cannot be read.
        RouterError: one is not in the table.
    """
    if text is None:
        return tuple(
            name
            for name in compositions
            if any(adapter == "random" or adapter.startswith("random-") for adapter in parse_composition(name))
        )
    parts = filter(None, (part.strip() for part in text.split(",")))
    found = tuple(dict.fromkeys(format_composition(parse_composition(part.replace("+", ","))) for part in parts))
    if unknown := [name for name in found if name not in compositions]:
        raise RouterError(f"the control {unknown[0]} is not in the table: choose from {', '.join(compositions)}")
    return found


def _weigh(
    picks: Sequence[Vote], learnt: Examples, table: Table, weight: float, watcher: FitWatcher
) -> Evidence | None:
    if not picks:
        return None
    adapters = {str(name): str(mark) for name, mark in dict(table.about.get("adapters", {})).items()}
    mark = str(table.about.get("model_fingerprint", ""))
    rows = votes_to_rows(picks, learnt.compositions, find_default(learnt), weight, mark, adapters)
    watcher.say(f"{rows.describe(weight)}.")
    return Evidence(rows, weight) if weight else None


def _validate(
    table: Table, there: Fittable, features: Features, options: FitOptions, watcher: FitWatcher
) -> Validation:
    examples, controls = there.examples, there.controls
    scoring = _listen(table, examples, watcher)
    beside = {}
    for judge in scoring:
        beside[judge], notes = hear_controls(table, judge, examples.compositions, controls)
        for note in notes:
            watcher.note(note)
    told = f", {', '.join(controls)} as controls" if controls else ""
    watcher.say(
        f"{len(examples.prompts)} prompts of {len(set(examples.genres))} genres, {len(examples.compositions)} "
        f"compositions{told}, fitted by {examples.judge}"
    )
    return validation.validate(
        examples,
        features,
        scoring=scoring,
        controls=controls,
        confidence=options.confidence,
        seed=options.seed,
        progress=watcher.progress,
        beside=beside,
    )


def _listen(table: Table, examples: Examples, watcher: FitWatcher) -> dict[str, Lattice]:
    """What each judge heard; one who did not hear all compositions scores nothing, and is named."""
    heard = {}
    for judge in table.judges:
        try:
            heard[judge] = make_lattice(keep_compositions(table, examples.compositions), judge).select(
                examples.compositions
            )
        except LatticeError as error:
            watcher.say(f"{judge} scores nothing: {error}")
    return heard


def _draw_curves(
    table: Table, learnt: Examples, found: Validation, seed: int, watcher: FitWatcher
) -> tuple[Curve, ...]:
    try:
        return held_out_curves.draw_held_out(table, learnt, found, seed)
    except ChoirmasterError as error:  # the router can do without
        watcher.say(f"no cascades are shown: {error}")
        return ()
