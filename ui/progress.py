"""How one song stands, and how it sounds: status line, progress bar, player and downloads.

Knows a standing (``ui.songs``); everything a person typed is escaped.
"""

from __future__ import annotations

from html import escape
from typing import Any

from engine.genres import CaptionReading
from engine.lyrics import parse_lyrics
from ui.choices import name_composition
from ui.form import complaint, count, read_as
from ui.hints import hinted
from ui.karaoke_line import read_karaoke, show_karaoke
from ui.standings import Standing
from ui.stored import number

EMPTY = (
    '<div class="empty"><p>Type some lyrics, choose a style, press <b>Sing</b>.</p>'
    "<p>The song, its plan and what the judge made of its words appear here.</p></div>"
)


def show_status(standing: Standing, cancelling: bool = False) -> str:
    """Where the song is: waiting, being sung, done, or ended without one; ``cancelling``: it ends with its next
    step."""
    if standing.state == "done":
        return ""
    if standing.state == "failed":
        return complaint(standing.error or "the song failed")
    if standing.state == "cancelled":
        return '<p class="note-box" role="status"><strong>Cancelled.</strong> The form still holds everything.</p>'
    if cancelling:
        return _bar("Cancelling…", standing.step, standing.steps)
    if standing.state == "queued":
        ahead = max(0, standing.place - 1)
        said = "next to be sung" if ahead == 0 else f"{ahead} song{'s' if ahead > 1 else ''} to be sung first"
        return _bar(f"Waiting: {said}", 0, standing.steps)
    if standing.state == "decoding" or standing.step >= standing.steps:
        return _bar("Making sound of it", standing.step, standing.steps)
    return _bar(f"Singing, step {standing.step} of {standing.steps}", standing.step, standing.steps)


def show_player(standing: Standing) -> str:
    """Title, player and downloads of a song that is done."""
    if standing.state != "done" or standing.record is None:
        return ""
    record, request = standing.record, standing.request
    audio = f"/v1/songs/{standing.id}/audio"
    spent = record.get("spent")
    seconds = sum(map(number, spent.values())) if isinstance(spent, dict) else 0.0
    lyrics = str(request.get("lyrics", ""))
    about = " · ".join((
        hinted(escape(count(parse_lyrics(lyrics))), "syllables"),
        f"{number(record.get('seconds')):.1f} s, sung in {seconds:.1f} s",
        f"{hinted('seed', 'seed')} {escape(str(request.get('seed')))}",
        f"{standing.steps} {hinted('steps', 'steps')}",
        f"sung with {hinted(escape(name_composition(request)), 'composition')}",
    ))  # fmt: skip
    links = "".join(
        f'<a class="download" href="{place}" download="choirmaster-{standing.id}.{form}">{form}</a>'
        for form, place in downloads(standing).items()
    )
    title = escape(str(request.get("caption", "")).strip() or "A song without a style")
    return (
        f'<section class="player"><h2>{title}</h2><p class="faint">{about}<br>{_reading(record, request)}</p>'
        f'<audio controls preload="auto" aria-label="The song" src="{audio}"></audio>'
        f"{show_karaoke(record, lyrics)}"
        f'<p class="downloads"><span>Download</span>{links}</p>'
        f'<p><a class="button" href="/?tab=compare" data-go="compare" data-song="{standing.id}">Compare</a></p>'
        "</section>"
    )


def downloads(standing: Standing) -> dict[str, str]:
    """Where the files of a song that is done are found, by what they are called; only those there are."""
    own, record = f"/v1/songs/{standing.id}", standing.record or {}
    found = {form: f"{own}/audio?format={form}" for form in ("flac", "wav", "mp3")} | {"json": own}
    if record.get("attention") is True:
        found |= {form: f"{own}/attention?format={form}" for form in ("npz", "png")}
    karaoke = read_karaoke(record)
    return found | ({"lrc": f"{own}/karaoke?format=lrc"} if karaoke is not None and karaoke.lines else {})


def _reading(record: dict[str, Any], request: dict[str, Any]) -> str:
    try:
        return read_as(CaptionReading(**record["reading"]), str(request.get("caption", "")))
    except (KeyError, TypeError, AttributeError):  # it was changed by hand
        return ""


def _bar(said: str, step: int, steps: int) -> str:
    share = 100 * step / steps if steps else 0
    return (
        f'<div class="going" role="status"><p>{escape(said)}</p><div class="track" role="progressbar" '
        f'aria-label="Steps" aria-valuemin="0" aria-valuemax="{steps}" aria-valuenow="{step}">'
        f'<div style="width:{share:.0f}%"></div></div></div>'
    )
