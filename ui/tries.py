"""Routed and repeated singing at the command line: asks the router, sings takes one after another, judges, tells.

Knows a terminal and the song model. Which files are written is ``ui.sing_cli``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.fingerprints import fingerprint_model, fingerprint_shelf
from adapters.store import AdapterStore
from engine.errors import Cancelled, ChoirmasterError
from engine.request import SongRequest
from engine.singer import Singer
from router.cascade import Cascade, Take, Wish, run_cascade
from router.decision import Decision
from router.errors import RouterError
from ui.routing import FILE, prompt_of
from ui.takes import CascadeOptions, plan_takes

if TYPE_CHECKING:
    from engine.song import Song
    from eval.judge import Judge


#: Characters of a composition's name in that of a file: a system takes 255 bytes, the suffixes counted.
LONGEST_NAME = 160

T = TypeVar("T")


@dataclass(frozen=True)
class Tries:
    """How a cascade goes on, and who listens: the name of a judge, or none."""

    options: CascadeOptions
    judge: str

    @classmethod
    def read(cls, given: Mapping[str, Any], judge: str) -> Tries:
        """From options of the command line.

        Raises:
            RequestError: one sentence per wrong option.
        """
        return cls(CascadeOptions.read(given), judge)


@dataclass(frozen=True)
class Ended:
    """What came of it; without a song, ``reason`` says why."""

    song: Song | None
    reason: str
    interrupted: bool


def ask_router(path: Path | None, model: str, request: SongRequest, shelf: AdapterStore) -> Decision:
    """What the router in a file would sing a request with.

    Raises:
        RouterError: there is none, it is damaged, or it was fitted to another model.
    """
    from router.router import Router

    router = Router.load(Path(model) / FILE if path is None else path)
    try:
        router.check(fingerprint_model(Path(model)))
    except OSError as error:
        raise RouterError(f"the song model {model} cannot be read ({error.strerror or error}): mend that") from error
    return router.route(prompt_of(request), fingerprint_shelf(shelf.folder))


def say_decision(console: Console, decision: Decision) -> None:
    """The composition, its predicted word error rate, and the reason."""
    said = f"predicted WER {decision.wer:.2f}, 80 % of prompts within {decision.low:.2f} to {decision.high:.2f}"
    console.print(f"[bold]{escape(decision.name)}[/] {said}", highlight=False)
    for line in (decision.reason, *decision.notes):
        console.print(escape(line), highlight=False)


def sing_one(console: Console, model: str, shelf: AdapterStore, request: SongRequest) -> Song:
    """One song, with a bar that follows it."""
    with _bar(console) as bar:
        task = bar.add_task("loading the model", total=None)
        singer = load_singer(model, shelf)
        return singer.sing(request, lambda s: bar.update(task, description="singing", completed=s.done, total=s.of))


def load_singer(model: str, shelf: AdapterStore) -> Singer:
    """The singer of a song model."""
    from transformers.utils import logging as transformers_logging

    from engine.song_model import load_song_model

    transformers_logging.disable_progress_bar()  # there is a bar of ours
    return Singer(load_song_model(model), shelf)


def try_all(
    console: Console,
    model: str,
    shelf: AdapterStore,
    request: SongRequest,
    decision: Decision,
    tries: Tries,
    keep: Callable[[str, Song], None],
) -> Ended:
    """Sing takes until one is good enough; ``keep`` is given a name and the song of each once it is judged.

    Ctrl-C ends it with the best of what was sung, and a take that cannot be kept is told and goes on to be judged.

    Raises:
        JudgeUnavailable: the judge cannot be had.
    """
    from eval.judge import Judge

    options, interrupted = tries.options, False
    wordless = prompt_of(request).instrumental
    judge = None if wordless or tries.judge == "none" else Judge(tries.judge)
    with _bar(console) as bar:
        task = bar.add_task("loading the model", total=None)
        if judge is not None:
            judge.load()
        singer, taken = load_singer(model, shelf), list[Take]()

        def sing(wishes: Sequence[Wish]) -> list[Song]:
            return [follow(wish) for wish in wishes]

        def follow(wish: Wish) -> Song:
            said = f"take {len(taken) + 1} of at most {options.budget}, {wish.name}"
            wanted = request.sung_by(wish.composition, wish.seed)
            return until_interrupted(
                lambda: singer.sing(wanted, lambda s: bar.update(task, description=said, completed=s.done, total=s.of))
            )

        def tell(take: Take) -> None:
            taken.append(take)
            if take.song is None:
                return
            try:
                until_interrupted(lambda: keep(f"take-{len(taken)}-{take.wish.name[:LONGEST_NAME]}", take.song))
            except Cancelled:
                console.print(f"take {len(taken)} was not kept: it was interrupted")
            except ChoirmasterError as error:
                console.print(escape(f"take {len(taken)} was not kept: {error}"), highlight=False)

        def until_interrupted(work: Callable[[], T]) -> T:
            nonlocal interrupted
            try:
                return work()
            except KeyboardInterrupt:  # what was sung before must not be lost
                interrupted = True
                raise Cancelled("it was interrupted") from None

        ended = run_cascade(
            plan_takes(decision, request.seed, options),
            sing,
            None if judge is None else lambda song: until_interrupted(lambda: _listen(judge, song)),
            budget=options.budget,
            stop_wer=options.stop_wer,
            wordless=wordless,
            told=tell,
            cancelled=lambda: interrupted,
        )
    _say_takes(console, ended)
    return Ended(None if ended.best is None else ended.best.song, ended.reason, interrupted)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _listen(judge: Judge, song: Song) -> float | None:
    from eval.text import reference_words
    from eval.wer import score

    lyrics = song.request.lyrics
    if not reference_words(lyrics):
        return None
    return score(lyrics, judge.listen(song.audio, song.sampling_rate).text).wer


def _say_takes(console: Console, ended: Cascade) -> None:
    table = Table(box=None, pad_edge=False, title="takes", title_justify="left", title_style="bold")
    for column, justify in (("", "right"), ("composition", "left"), ("seed", "right"), ("WER", "right"), ("", "left")):
        table.add_column(column, justify="right" if justify == "right" else "left", overflow="fold")
    for number, take in enumerate(ended.takes, 1):
        wer = "" if take.wer is None else f"{take.wer:.2f}"
        said = "best" if take is ended.best else take.error
        table.add_row(str(number), escape(take.wish.name), str(take.wish.seed), wer, escape(said))
    console.print(table)
    console.print(escape(ended.reason), highlight=False)
