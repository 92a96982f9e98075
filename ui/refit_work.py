"""Fitting a router in a process of its own: songs are not held up by it, and stopping it takes no time.

Knows how the work is handed over and what is told on the way, not who asked for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event

from engine.errors import ChoirmasterError
from router.feedback import FeedbackLog, Vote
from router.fit_table import FitOptions
from router.sentences import SentenceModel

#: How far the process steps back behind all others.
NICENESS = 10
#: Seconds between two looks at whether the work is still wanted, and in which the process may end by itself.
LOOK_EVERY, PATIENCE = 0.1, 5.0

#: Brings the sentence model; found by name in the other process, so it must be a function or class of a module.
LoadSentences = Callable[[], SentenceModel]


class RefitError(ChoirmasterError):
    """A router could not be fitted, or cannot be used."""


@dataclass(frozen=True)
class RefitWork:
    """A router to write to ``out``, fitted to ``table``. ``feedback``: a log of people's picks, or None."""

    table: Path
    out: Path
    options: FitOptions
    feedback: Path | None
    command: str


@dataclass(frozen=True)
class Step:
    """What is being done, and how many genres of how many were left out so far; ``total`` 0: unknown yet."""

    stage: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Noted:
    """What should be known of the table or of the fit, a sentence."""

    sentence: str


@dataclass(frozen=True)
class Ended:
    """The work is done, in ``seconds``, or failed for ``reason``."""

    reason: str | None
    seconds: float


Told = Step | Noted


def load_usual_sentences() -> SentenceModel:
    """The sentence model of the project; raises RouterError where it cannot be had."""
    from router.sentence_files import DEFAULT
    from router.sentences import load_sentence_model

    return load_sentence_model(DEFAULT)


def fit_elsewhere(work: RefitWork, load: LoadSentences, stopped: Event, told: Callable[[Told], None]) -> float:
    """Do the work in another process; the seconds it took there. Returns early, with nothing written, once ``stopped``
    is set.

    Raises:
        RefitError: it failed, for the reason that is told.
    """
    context = get_context("spawn")  # a fork would take this process's threads' locks along
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, load, there), name="choirmaster-refit", daemon=True)
    process.start()
    there.close()
    try:
        while not stopped.is_set():
            if not here.poll(LOOK_EVERY):
                continue
            try:
                found = here.recv()
            except EOFError:
                process.join(PATIENCE)
                raise RefitError(
                    f"the process that was fitting ended unexpectedly (exit code {process.exitcode}): the server's log "
                    "may tell why; where memory is short, fit a smaller table"
                ) from None
            if not isinstance(found, Ended):
                told(found)
            elif found.reason is not None:
                raise RefitError(found.reason)
            else:
                return found.seconds
        return 0.0
    finally:
        here.close()
        if stopped.is_set():
            process.terminate()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
        if stopped.is_set():  # it may have been quicker
            work.out.unlink(missing_ok=True)


def _work(work: RefitWork, load: LoadSentences, there: Connection) -> None:
    """The other process. Ends when nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: whoever began this ends it
    with suppress(OSError):
        os.nice(NICENESS)
    started = time.monotonic()
    reason = None
    try:
        _fit(work, load, there.send)
    except BrokenPipeError:
        return
    except ChoirmasterError as error:
        reason = str(error)
    except MemoryError:
        reason = "fitting needs more memory than this machine has: fit a smaller table"
    except Exception as error:
        import traceback

        traceback.print_exc()
        reason = f"fitting failed ({type(error).__name__}): the server's log has the details"
    with suppress(BrokenPipeError):
        there.send(Ended(reason, time.monotonic() - started))


def _fit(work: RefitWork, load: LoadSentences, tell: Callable[[Told], None]) -> None:
    from eval.table import read_table
    from router.fit_table import FitWatcher, fit_table
    from router.gaps import describe_fitted

    tell(Step("reading the table"))
    table = read_table(work.table)
    picks: tuple[Vote, ...] = ()
    if work.feedback is not None:
        found = FeedbackLog(work.feedback).read()
        picks = found.votes
        if said := found.describe_unreadable():
            tell(Noted(f"The log of picks: {said}."))

    def load_model() -> SentenceModel:
        tell(Step("reading the captions"))
        return load()

    def progress(done: int, total: int) -> None:
        stage = "fitting without each genre in turn" if done < total else "comparing with shuffled prompts"
        tell(Step(stage, done, total))

    watcher = FitWatcher(lambda said: tell(Noted(_sentence(said))), lambda said: tell(Noted(_sentence(said))), progress)
    made = fit_table(table, work.options, load_model, watcher, picks, work.command)
    for said in describe_fitted(table.about, made.file.compositions):
        tell(Noted(_sentence(said)))
    tell(Step("writing the router"))
    made.save(work.out)


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:].rstrip('.')}."
