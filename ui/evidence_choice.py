"""Which results table is looked at, and as whose ears: two choices, and what stands there before there is a table.

Knows sources (``ui.sources``) by name and how they are chosen from; not what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from eval.report.formats import say_count
from ui.figures import say_moment
from ui.hints import hint
from ui.sources import Source

NO_SERVICE = (
    '<p class="note-box" role="status">This server shows no measurements: start it with <code>choirmaster serve</code>'
    ", which does.</p>"
)
NO_TABLE = (
    '<div class="empty"><p>Nothing was measured for this song model yet.</p>'
    "<p>Measure some compositions below, or with <code>choirmaster eval</code>: the table appears here.</p></div>"
)
COMPUTING = (
    '<div class="going" role="status"><p>Computing intervals and tests…</p>'
    '<div class="track endless" role="progressbar" aria-label="Computing"><div></div></div></div>'
)


@dataclass(frozen=True)
class Chosen:
    """A source and one of its judges."""

    source: Source
    judge: str


def choose(listed: Sequence[Source], wanted: Mapping[str, str]) -> Chosen | None:
    """What was wanted as far as it is there, else the first source that has a judge; None where there is none."""
    able = [source for source in listed if source.judges]
    if not able:
        return None
    source = next((one for one in able if one.id == wanted.get("source")), able[0])
    judge = wanted.get("judge", "")
    return Chosen(source, judge if judge in source.judges else source.judges[0])


def show_choice(listed: Sequence[Source], chosen: Chosen | None) -> str:
    """Both choices as native selects; nothing where there is nothing to choose from."""
    if chosen is None:
        return ""
    sources = "".join(
        _option(one.id, f"{one.title}, {say_count(one.songs, 'song')}", one.id == chosen.source.id)
        for one in listed
        if one.judges
    )
    judges = "".join(_option(name, name, name == chosen.judge) for name in chosen.source.judges)
    return (
        f'<div class="choices">'
        f'<label><span>Measured table</span><select name="source">{sources}</select></label>'
        f'<label><span>Heard by {hint("judge")}</span><select name="judge">{judges}</select></label>'
        f'<p class="faint">{escape(_origin(chosen.source))}</p></div>'
    )


def _option(value: str, said: str, selected: bool) -> str:
    return f'<option value="{escape(value)}"{" selected" if selected else ""}>{escape(said)}</option>'


def _origin(source: Source) -> str:
    """When and how a table was made, as far as it says so."""
    day, command = say_moment(source.about.get("made")), str(source.about.get("command") or "")
    return " ".join(
        part for part in (f"Measured on {day}." if day else "", f"By: {command[:200]}" if command else "") if part
    )
