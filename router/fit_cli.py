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

    from router.feedback import Vote
    from router.sentences import SentenceModel


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
    from eval.table import read_table
    from router.choosing import check_confidence
    from router.errors import RouterError
    from router.fit_table import FitOptions, FitWatcher, fit_table
    from router.gaps import describe_fitted
    from router.sentence_files import DEFAULT
    from router.sentences import load_sentence_model
    from router.sheet import open_output, print_findings

    started = time.monotonic()
    if asked.out.is_dir() or asked.out.suffix.lower() != ".json":
        raise RouterError(f"--out {asked.out} is no name for a router: end it in .json")
    check_confidence(asked.confidence)
    picks = _read_picks(asked, console)
    table = read_table(asked.table)

    def load() -> SentenceModel:
        with console.status("loading the sentence model"):
            return load_sentence_model(asked.sentences or DEFAULT)

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def note(sentence: str) -> None:
        say(f"Note: {sentence}.")

    bar = _Bar(console)
    try:
        made = fit_table(
            table,
            FitOptions(asked.judge, asked.controls, asked.feedback_weight, asked.confidence, asked.seed),
            load,
            FitWatcher(note, say, bar.update),
            picks,
            shlex.join(["choirmaster", *sys.argv[1:]]),
        )
    finally:
        bar.close()
    made.save(asked.out)
    findings, output = made.findings, open_output()
    print_findings(findings, output)
    for sentence in describe_fitted(table.about, made.file.compositions):
        note(sentence)
    output.print(f"fitted in {time.monotonic() - started:.0f} s", highlight=False)
    output.print(
        f"the router is in {asked.out} ({asked.out.stat().st_size / 1e3:.0f} kB, default {findings.default}, policy "
        f"{findings.policy}); `choirmaster route --router {asked.out} --caption ...` asks it, `choirmaster route "
        f"report {asked.out}` makes a page",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


class _Bar:
    """A bar of genres left out, there from the first to the last of them."""

    def __init__(self, console: Console) -> None:
        from rich.progress import Progress

        self._bars = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bars.add_task("genres left out", total=None)

    def update(self, done: int, total: int) -> None:
        """Show how many are done."""
        self._bars.start()
        self._bars.update(self._task, completed=done, total=total)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Show it no more."""
        self._bars.stop()


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
