"""The verb ``fit``: a results table to a router, with all that says whether it is worth anything.

The router is written at the very end and in one step, so that whoever stops it keeps the router that was there.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from eval.lattice import Lattice
    from eval.table import Table
    from router.examples import Examples
    from router.features import Features
    from router.feedback import Vote
    from router.findings import Curve
    from router.fitting import Evidence
    from router.validation import Validation


@dataclass(frozen=True)
class Asked:
    """The options of ``fit``, as they are named there."""

    table: Path
    out: Path
    # whom to believe
    judge: str
    controls: str | None
    feedback: Path | None
    feedback_weight: float
    # how to choose
    confidence: float
    sentences: str
    seed: int


def fit(
    table: Annotated[Path, typer.Argument(help="Results table, or the folder that `choirmaster eval` wrote into.")],
    out: Annotated[Path, typer.Option(help="Router to write, a JSON file.")] = Path("outputs/router.json"),
    judge: Annotated[
        str, typer.Option(help="Judge to fit by, as the table names it or the beginning of that; by default its first.")
    ] = "",
    controls: Annotated[
        str | None,
        typer.Option(
            help="Compositions that are scored and never chosen, such as random=1,lyrics=0.5 (+ joins a blend); by "
            "default those of an adapter called random or random-something; none: ''."
        ),
    ] = None,
    feedback: Annotated[
        Path | None, typer.Option(help="Log of people's picks, such as outputs/feedback.jsonl.")
    ] = None,
    feedback_weight: Annotated[
        float, typer.Option(min=0, max=10, help="What a pick weighs: at 1 a quarter of a pair of songs, at 0 nothing.")
    ] = 0.0,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Chance of a gain from which the best single one is left.")
    ] = 0.8,
    sentences: Annotated[
        str, typer.Option(help="Sentence model for captions: a folder or hub id; by default all-MiniLM-L6-v2.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of folds, resamples and shuffles.")] = 0,
) -> None:
    """Learn from a table which composition a prompt needs, and tell what that is worth on genres it never saw."""
    from rich.console import Console

    console = Console(stderr=True)
    asked = Asked(table, out, judge, controls, feedback, feedback_weight, confidence, sentences, seed)
    try:
        run(asked, console)
    except KeyboardInterrupt:
        console.print(f"Stopped. Nothing was written: {out} is as it was.", markup=False, soft_wrap=True)
        raise typer.Exit(130) from None


def run(asked: Asked, console: Console) -> None:
    """Do the verb; ``console`` is told how far it is.

    Raises:
        ChoirmasterError: something of what was asked cannot be had.
    """
    from dataclasses import replace

    from eval.table import read_table
    from router.choosing import check_confidence
    from router.errors import RouterError
    from router.examples import make_examples
    from router.features import Featuriser
    from router.gaps import describe_fitted, describe_gaps, keep_compositions, leave_out
    from router.router import Router
    from router.sentence_files import DEFAULT
    from router.sentences import load_sentence_model
    from router.sheet import open_output, print_findings

    started = time.monotonic()
    if asked.out.is_dir() or asked.out.suffix.lower() != ".json":
        raise RouterError(f"--out {asked.out} is no name for a router: end it in .json")
    check_confidence(asked.confidence)
    picks = _read_picks(asked, console)
    table = read_table(asked.table)
    judge = pick_judge(asked.judge, table.judges)
    controls = parse_controls(asked.controls, tuple(table.compositions))
    left = leave_out(table.compositions, controls)
    examples = make_examples(keep_compositions(table, left), judge)
    if gaps := describe_gaps(table, judge, examples.lattice):
        console.print(f"Note: {gaps}.", markup=False, soft_wrap=True)
    with console.status("loading the sentence model"):
        model = load_sentence_model(asked.sentences or DEFAULT)
    features = Featuriser(model).describe(examples.texts)
    validation = _validate(table, examples, features, controls, asked, console)
    findings = replace(
        validation.findings,
        curves=_draw_curves(table, examples, validation, asked.seed, console),
        command=shlex.join(["choirmaster", *sys.argv[1:]]),
    )
    made = Router.fit(
        examples,
        features,
        model,
        replace(validation, findings=findings),
        confidence=asked.confidence,
        about=table.about,
        evidence=_weigh(picks, examples, table, asked.feedback_weight, console),
    )
    made.save(asked.out)
    output = open_output()
    print_findings(findings, output)
    for note in describe_fitted(table.about, examples.compositions):
        console.print(f"Note: {note}.", markup=False, soft_wrap=True)
    output.print(f"fitted in {time.monotonic() - started:.0f} s", highlight=False)
    output.print(
        f"the router is in {asked.out} ({asked.out.stat().st_size / 1e3:.0f} kB, default {findings.default}, policy "
        f"{findings.policy}); `choirmaster route --router {asked.out} --caption ...` asks it, `choirmaster route "
        f"report {asked.out}` makes a page",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def pick_judge(asked: str, judges: list[str]) -> str:
    """The judge that is meant.

    Raises:
        RouterError: none is, or several.
    """
    from router.errors import RouterError

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
    from adapters.composition import format_composition, parse_composition
    from router.errors import RouterError

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


def _read_picks(asked: Asked, console: Console) -> tuple[Vote, ...]:
    """Votes of the log that was named, and what is wrong with it said aloud."""
    from router.errors import RouterError
    from router.feedback import FeedbackLog

    if asked.feedback is None:
        if asked.feedback_weight:
            raise RouterError(
                "--feedback-weight is given, but no --feedback: name a log, such as outputs/feedback.jsonl"
            )
        return ()
    if not asked.feedback.is_file():
        raise RouterError(f"--feedback {asked.feedback} is no file: the page's picks are in outputs/feedback.jsonl")
    found = FeedbackLog(asked.feedback).read()
    if said := found.describe_unreadable():
        console.print(f"{asked.feedback}: {said}", markup=False, soft_wrap=True)
    return found.votes


def _weigh(picks: tuple[Vote, ...], learnt: Examples, table: Table, weight: float, console: Console) -> Evidence | None:
    from router.evidence import votes_to_rows
    from router.examples import find_default
    from router.fitting import Evidence

    if not picks:
        return None
    adapters = {str(name): str(mark) for name, mark in dict(table.about.get("adapters", {})).items()}
    mark = str(table.about.get("model_fingerprint", ""))
    rows = votes_to_rows(picks, learnt.compositions, find_default(learnt), weight, mark, adapters)
    console.print(f"{rows.describe(weight)}.", markup=False, soft_wrap=True)
    return Evidence(rows, weight) if weight else None


def _validate(
    table: Table, examples: Examples, features: Features, controls: tuple[str, ...], asked: Asked, console: Console
) -> Validation:
    from rich.progress import Progress

    from router.gaps import hear_controls
    from router.validation import validate

    scoring = _listen(table, examples, console)
    beside = {}
    for judge in scoring:
        beside[judge], notes = hear_controls(table, judge, examples.compositions, controls)
        for note in notes:
            console.print(f"Note: {note}.", markup=False, soft_wrap=True)
    told = f", {', '.join(controls)} as controls" if controls else ""
    console.print(
        f"{len(examples.prompts)} prompts of {len(set(examples.genres))} genres, {len(examples.compositions)} "
        f"compositions{told}, fitted by {examples.judge}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("genres left out", total=len(set(examples.genres)))
        return validate(
            examples,
            features,
            scoring=scoring,
            controls=controls,
            confidence=asked.confidence,
            seed=asked.seed,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
            beside=beside,
        )


def _listen(table: Table, examples: Examples, console: Console) -> dict[str, Lattice]:
    """What each judge heard; one who did not hear all compositions scores nothing, and is named."""
    from eval.lattice import LatticeError, make_lattice
    from router.gaps import keep_compositions

    heard = {}
    for judge in table.judges:
        try:
            heard[judge] = make_lattice(keep_compositions(table, examples.compositions), judge).select(
                examples.compositions
            )
        except LatticeError as error:
            console.print(f"{judge} scores nothing: {error}", markup=False, soft_wrap=True)
    return heard


def _draw_curves(
    table: Table, learnt: Examples, validation: Validation, seed: int, console: Console
) -> tuple[Curve, ...]:
    from adapters.errors import ChoirmasterError
    from router.held_out_curves import draw_held_out

    try:
        return draw_held_out(table, learnt, validation, seed)
    except ChoirmasterError as error:  # the router can do without
        console.print(f"no cascades are shown: {error}", markup=False, soft_wrap=True)
        return ()
