"""Sing, listen, and try again: the best of a few takes, with all of them listed.

Knows neither the engine nor the judge: both are functions given to it. Nor does it know in which order to try, or with
which noise: that is a list of wishes (see ``router.retries``).

Takes of one round may share a batch. A round once sung is judged to its end, so that no song that is already there is
thrown away; only then is it asked whether one is good enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eval.report.formats import say_percent
from router.errors import RouterError

Stop = Literal["good enough", "budget", "wordless", "cancelled", "no judge"]
#: Songs that a cascade may sing.
MAX_BUDGET = 16
BUDGET, STOP_WER = 3, 0.2


class JudgeGone(RouterError):
    """Raised by a judge that will judge no song any more."""


class SongGone(RouterError):
    """Raised by a judge of a song that is there no more."""


@dataclass(frozen=True)
class Wish:
    """A song to be tried: ``name`` of its composition (as in tables), the composition, and the seed of its noise."""

    name: str
    composition: dict[str, float]
    seed: int


@dataclass(frozen=True)
class Take:
    """What became of a wish. ``wer``: uncapped, None where nobody judged it. ``error``: why there is no song, or no
    judgement of it; empty where all went well. ``song``: whatever ``sing`` gave, None where it gave none, or where it
    was gone before it was judged."""

    wish: Wish
    wer: float | None
    error: str = ""
    song: Any = None


@dataclass(frozen=True)
class Cascade:
    """``takes``: all that were tried, in order. ``best``: lowest WER, the earlier of equals; where none was judged, the
    first song; None where there is no song. ``reason``: one sentence on why it ended and which is the best."""

    takes: tuple[Take, ...]
    best: Take | None
    stopped: Stop
    reason: str


def check_limits(budget: int = BUDGET, stop_wer: float = STOP_WER, together: int = 1) -> None:
    """Refuse what no cascade can do.

    Raises:
        RouterError: a budget or a round outside 1 to :data:`MAX_BUDGET` songs, or a threshold outside 0 to 1.
    """
    for name, count in (("budget", budget), ("together", together)):
        if not 1 <= count <= MAX_BUDGET:
            raise RouterError(f"{name} is {count}: a cascade sings 1 to {MAX_BUDGET} songs, choose a number of these")
    if not 0 <= stop_wer <= 1:  # so written that NaN is refused too
        raise RouterError(f"stop_wer is {stop_wer:g}: give a word error rate from 0 (every word) to 1 (any song)")


def run_cascade(
    wishes: Sequence[Wish],
    sing: Callable[[Sequence[Wish]], Sequence[Any]],
    judge: Callable[[Any], float | None] | None,
    *,
    budget: int = BUDGET,
    stop_wer: float = STOP_WER,
    together: int = 1,
    wordless: bool = False,
    told: Callable[[Take], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    closing: Callable[[], bool] = lambda: False,
) -> Cascade:
    """Sing the wishes in order until one is good enough, the budget is spent, or somebody cancels.

    A take that fails is kept with its error, costs one song of the budget, and is not tried again. Without a judge,
    without words, or where the judge has nothing to say of the first songs, no song can be told from another: then the
    first is the best and no more are sung.

    Args:
        sing: songs of some wishes, in their order; an exception in place of a song is that song's failure, and one
            that is raised the failure of all of them.
        judge: WER of a song, None where it has no words to be judged by; raising fails that take alone, but
            :class:`JudgeGone` ends the cascade with its round.
        budget: songs at most, of which failures are some.
        stop_wer: a WER of at most this is good enough.
        together: songs of one round, which may share a batch.
        wordless: whether there is nothing to be judged, known beforehand.
        told: hears of every take as soon as it is there.
        cancelled: asked before every round and every judgement.
        closing: asked before every round: what is sung by then is judged all the same.

    Raises:
        RouterError: see :func:`check_limits`, or there are no wishes.
    """
    check_limits(budget, stop_wer, together)
    if not wishes:
        raise RouterError("no composition is to be sung: name one or more to try")
    stopped: Stop = "wordless" if wordless else "no judge" if judge is None else "budget"
    if stopped != "budget":
        judge, budget = None, 1
    wanted, takes, gone = list(wishes[:budget]), list[Take](), list[JudgeGone]()
    for start in range(0, len(wanted), together):
        if cancelled() or closing():
            stopped = "cancelled"
            break
        for take in _run_round(wanted[start : start + together], sing, judge, cancelled, gone):
            takes.append(take)
            if told is not None:
                told(take)
        if (ended := _end(takes, stop_wer, cancelled(), bool(gone))) is not None:
            stopped = ended if stopped == "budget" or ended == "cancelled" else stopped
            break
    best = _find_best(takes)
    return Cascade(tuple(takes), best, stopped, _explain(takes, best, stopped, stop_wer, budget))


def _run_round(
    wishes: list[Wish],
    sing: Callable[[Sequence[Wish]], Sequence[Any]],
    judge: Callable[[Any], float | None] | None,
    cancelled: Callable[[], bool],
    gone: list[JudgeGone],
) -> Iterator[Take]:
    """The takes of one round; ``gone`` gets what a judge said who will judge no more."""
    try:
        songs = sing(wishes)
    except Exception as error:
        songs = [error] * len(wishes)
    for wish, song in zip(wishes, songs, strict=True):
        if song is None or isinstance(song, Exception):
            yield Take(wish, None, _tell(song) if song is not None else "it was not sung")
        elif judge is None or cancelled():
            yield Take(wish, None, song=song)
        else:
            yield _judge(wish, song, judge, gone)


def _judge(wish: Wish, song: Any, judge: Callable[[Any], float | None], gone: list[JudgeGone]) -> Take:
    try:
        wer = judge(song)
    except SongGone as error:
        return Take(wish, None, _tell(error))
    except Exception as error:
        if isinstance(error, JudgeGone):
            gone.append(error)
        return Take(wish, None, f"it was sung but not judged: {_tell(error)}", song)
    if wer is not None and not (math.isfinite(wer) and wer >= 0):
        return Take(wish, None, f"it was sung but not judged: the judge gave a WER of {wer}", song)
    return Take(wish, wer, song=song)


def _tell(error: Exception) -> str:
    return str(error) or type(error).__name__


def _find_best(takes: list[Take]) -> Take | None:
    best: Take | None = None
    for take in takes:
        if take.wer is not None and (best is None or best.wer is None or take.wer < best.wer):
            best = take
    return best or next((take for take in takes if take.song is not None), None)


def _end(takes: list[Take], stop_wer: float, cancelled: bool, deaf: bool) -> Stop | None:
    """Why no further round is sung, None if one may be."""
    best = _find_best(takes)
    if best is not None and best.wer is not None and best.wer <= stop_wer:
        return "good enough"
    if cancelled:
        return "cancelled"
    if deaf:
        return "no judge"
    heard_nothing = any(take.song is not None and not take.error for take in takes)
    return "wordless" if best is not None and best.wer is None and heard_nothing else None


def _explain(takes: list[Take], best: Take | None, stopped: Stop, stop_wer: float, budget: int) -> str:
    """A few sentences: why it ended with this best take, how many failed, and how many nobody judged."""
    count = "1 song" if len(takes) == 1 else f"{len(takes)} songs"
    broken = [take.error for take in takes if take.song is None]
    unjudged = sum(take.song is not None and bool(take.error) for take in takes)
    if not takes:
        return "Cancelled before a song was sung."
    if best is None:
        failed = "The only song" if len(takes) == 1 else f"All {count}"
        return f"{'Cancelled. ' if stopped == 'cancelled' else ''}{failed} failed, the last because: {broken[-1]}"
    name = best.wish.name
    closest = (
        f"{name} came closest at a WER of {say_percent(best.wer)} %" if best.wer is not None else "none was judged"
    )
    unheard = f", so {name} is taken as it came" if best.wer is None else f" any more; {closest}"
    spent = f"The budget of {count} is spent" if len(takes) == budget else f"All there was to try ({count}) is sung"
    said = {
        "good enough": f"After {count}, {name} is good enough: a WER of {say_percent(best.wer or 0)} %, asked for "
        f"{say_percent(stop_wer)} %.",
        "wordless": f"There are no words to judge a song by, so {name} is taken as it came.",
        "no judge": f"Nobody listens here{unheard}.",
        "cancelled": f"Cancelled after {count}; {closest}.",
        "budget": f"{spent} and none was at or below a WER of {say_percent(stop_wer)} %; {closest}.",
    }[stopped]
    if broken:
        said += f" {len(broken)} of {count} failed."
    if unjudged and stopped != "no judge":
        said += f" {unjudged} of {count} {'was' if unjudged == 1 else 'were'} not judged."
    return said
