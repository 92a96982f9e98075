"""The list of recent songs: links that also work on their own; ``browser/early.js`` opens them without a reload."""

from __future__ import annotations

from html import escape

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
    mark = f"WER {100 * number(judged['wer']):.0f} %" if judged.get("state") == "judged" else ""
    if standing.state != "done":
        mark = MARKS.get(standing.state, standing.state)
    length = f"{number(standing.record.get('seconds')):.1f} s" if standing.record else ""
    current = ' aria-current="true"' if opened else ""
    return (
        f'<li><a href="/?song={standing.id}" data-song="{standing.id}"{current}><b>{escape(caption[:80])}</b>'
        f'<span class="faint">{escape(lyrics[:90])}</span>'
        f'<span class="facts">{" · ".join(escape(part) for part in (length, mark) if part)}</span></a></li>'
    )
