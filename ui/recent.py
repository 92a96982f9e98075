"""The list of recent songs: links that also work on their own; ``browser/early.js`` opens them without a reload."""

from __future__ import annotations

from html import escape

from ui.figures import say_rate
from ui.hints import TERMS
from ui.standings import Standing
from ui.stored import number, read_verdict

SHOWN = 12
#: What a person calls a state, where it is not its name.
MARKS = {"decoding": "making sound"}


def show_recent(standings: list[Standing], opened: str | None) -> str:
    """The list as HTML; everything a person typed is escaped."""
    if not standings:
        return '<p class="faint">No songs yet.</p>'
    return f'<ul class="recent">{"".join(_item(s, s.id == opened) for s in standings)}</ul>'


def _item(standing: Standing, opened: bool) -> str:
    caption = str(standing.request.get("caption", "")).strip() or "no style"
    lyrics = " / ".join(str(standing.request.get("lyrics", "")).split("\n")).strip() or "instrumental"
    judged = read_verdict(standing.judged)
    mark = _figure(f"WER {say_rate(number(judged['wer']))}", "wer") if judged.get("state") == "judged" else ""
    if standing.state != "done":
        mark = escape(MARKS.get(standing.state, standing.state))
    length = _figure(f"{number(standing.record.get('seconds')):.1f} s", "length") if standing.record else ""
    current = ' aria-current="true"' if opened else ""
    return (
        f'<li><a href="/?song={standing.id}" data-song="{standing.id}"{current}><b>{escape(caption[:80])}</b>'
        f'<span class="faint">{escape(lyrics[:90])}</span>'
        f'<span class="facts">{" · ".join(part for part in (length, mark) if part)}</span></a></li>'
    )


def _figure(shown: str, term: str) -> str:
    """A number that says what it means when it is pointed at; within a link nothing else takes the focus."""
    return f'<span data-hint="{escape(TERMS[term])}">{escape(shown)}</span>'
