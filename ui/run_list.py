"""Work that runs in the server for a while, as a list: how far each run is, how it ended, and what can be done with it.

Knows how a run looks, not what it does. Bars follow by themselves (``browser/runs.js`` asks the address of a run
every second and writes into what is there), so that buttons keep the focus; buttons say what is wanted by ``data-do``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from ui.form import complaint

#: What a person calls a state.
STATES = {
    "queued": "waiting",
    "running": "under way",
    "done": "done",
    "cancelled": "cancelled",
    "failed": "failed",
}
GOING = ("queued", "running")


@dataclass(frozen=True)
class Action:
    """A button: what it says, and what the list is told when it is pressed. ``go``: another tab's name, or this one's,
    that is told instead."""

    title: str
    do: str = ""
    go: str = ""
    source: str = ""
    link: str = ""


@dataclass(frozen=True)
class Run:
    """One run. ``said``: how far it is, in words; ``address``: where its state is told as JSON; ``about``: HTML."""

    id: str
    title: str
    address: str
    state: str
    said: str
    done: int = 0
    total: int = 0
    error: str | None = None
    about: str = ""
    marks: tuple[str, ...] = ()
    actions: tuple[Action, ...] = field(default=())


def show_runs(kind: str, runs: Sequence[Run], empty: str) -> str:
    """The list; ``kind`` is what a run is called, ``empty`` stands where there is none."""
    if not runs:
        return f'<p class="faint">{escape(empty)}</p>'
    return f'<ul class="runs" aria-label="{escape(kind)}s">{"".join(_show(kind, run) for run in runs)}</ul>'


def _show(kind: str, run: Run) -> str:
    marks = "".join(
        f'<span class="chip">{escape(mark)}</span>' for mark in (STATES.get(run.state, run.state), *run.marks)
    )
    actions = "".join(_button(kind, run, action) for action in run.actions)
    return (
        f'<li><article aria-label="{escape(f"{kind}: {run.title}")}"><header><h4>{escape(run.title)}</h4><p>{marks}</p>'
        f"</header>{_progress(kind, run)}{complaint(run.error) if run.error else ''}{run.about}"
        f"{f'<p class=actions>{actions}</p>' if actions else ''}</article></li>"
    )


def _progress(kind: str, run: Run) -> str:
    if run.state not in GOING:
        return f'<p class="faint">{escape(run.said)}</p>' if run.said else ""
    share = 100 * run.done / run.total if run.total else 0
    return (
        f'<run-progress class="going" data-address="{escape(run.address)}" data-kind="{escape(kind)}" '
        f'data-state="{escape(run.state)}"><p class="said">{escape(run.said)}</p><div class="track" role="progressbar" '
        f'aria-label="{escape(f"{kind} of {run.title}")}" aria-valuemin="0" aria-valuemax="{run.total}" '
        f'aria-valuenow="{run.done}" aria-valuetext="{escape(run.said)}"><div style="width:{share:.0f}%"></div></div>'
        "</run-progress>"
    )


def _button(kind: str, run: Run, action: Action) -> str:
    said = f'{escape(action.title)}<span class="sr"> ({escape(run.title)})</span>'
    if action.link:
        return f'<a class="button" href="{escape(action.link)}" target="_blank" rel="noopener">{said}</a>'
    data = f'data-go="{escape(action.go)}" data-source="{escape(action.source)}"' if action.go else ""
    return (
        f'<button type="button" class="button" data-run="{escape(run.id)}" data-do="{escape(action.do)}" {data}>'
        f"{said}</button>"
    )
