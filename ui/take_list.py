"""The takes of a cascade as HTML: how far it is, why it ended, every take with its word errors and a player.

Knows how a cascade stands. Each take is a link to its song that also works on its own.
"""

from __future__ import annotations

from html import escape

from ui.figures import say_rate
from ui.form import complaint
from ui.hints import hinted
from ui.recent import MARKS
from ui.takes import CascadeStanding, TakeStanding


def show_takes(standing: CascadeStanding | None, opened: str | None) -> str:
    """The takes; ``opened``: the song that is looked at."""
    if standing is None:
        return ""
    items = "".join(_take(take, standing, take.song == opened) for take in standing.takes)
    whole = f'<a href="/?song={standing.id}" data-song="{standing.id}">Takes</a>'
    return (
        f'<section class="takes" aria-label="Takes of this cascade"><h3>{whole}</h3>{_say(standing)}'
        f"<ol>{items}</ol></section>"
    )


def _say(standing: CascadeStanding) -> str:
    if standing.state == "going":
        tried = max(1, len(standing.takes))
        enough = hinted(f"a WER of {say_rate(float(standing.options.get('stop_wer', 0)))}", "stop_wer")
        most = hinted(f"at most {standing.options.get('budget')}", "budget")
        return f'<p role="status">Take {tried} of {most}, enough at {enough}.</p>'
    if standing.state == "failed":
        return complaint(standing.reason or "no take could be sung")
    return f'<p role="status">{escape(standing.reason or "")}</p>'


def _take(take: TakeStanding, standing: CascadeStanding, opened: bool) -> str:
    best = '<b class="chip">best</b>' if take.song is not None and take.song == standing.best else ""
    wer = "" if take.wer is None else f"<strong>{hinted(f'WER {say_rate(take.wer)}', 'wer')}</strong>"
    state = "" if take.state == "done" and take.wer is not None else MARKS.get(take.state, take.state)
    facts = " · ".join(filter(None, (wer, escape(state if state != "done" else "not judged"), f"seed {take.seed}")))
    error = f'<span class="faint">{escape(take.error)}</span>' if take.error else ""
    name = escape(take.name)
    if take.song is not None:
        current = ' aria-current="true"' if opened else ""
        name = f'<a href="/?song={take.song}" data-song="{take.song}"{current}>{name}</a>'
    player = ""
    if take.song is not None and take.state == "done":
        label = f"Take {take.place + 1}, {escape(take.name)}"
        player = f'<audio controls preload="none" aria-label="{label}" src="/v1/songs/{take.song}/audio"></audio>'
    return f"<li><p>{name} {best}<span>{facts}</span>{error}</p>{player}</li>"
