"""The songs of one cell of the heat map: what was asked for, what was heard, the sound and the maps that were kept.

Knows songs of a results table (``ui.sources``) and how they look. Singing one again is ``browser/sing-again.js``: the
request lies beside the button. Everything a table says is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from eval.heard import Heard
from eval.report.formats import say_count, say_percent
from eval.report.sections import KINDS
from ui.evidence_standings import fold
from ui.hints import hint, hinted
from ui.listening import verdict
from ui.sources import CellSong
from ui.verdict import show_verdict


def show_cell(
    source: str, judge: str, genre: str, composition: str, songs: Sequence[CellSong], compared: Sequence[str]
) -> str:
    """All songs of a cell. ``compared``: compositions that can be sung now, in their text form."""
    title = f'<h3 id="cell-title" tabindex="-1">{escape(genre)}, sung with {fold(composition)}</h3>'
    cards = "".join(_song(source, judge, song, compared, at) for at, song in enumerate(songs, 1))
    found = f'<ol class="cell-songs">{cards}</ol>' if songs else '<p class="note-box">This cell holds no song.</p>'
    return (
        f'<section class="card cell-of" aria-labelledby="cell-title"><header>{title}<p class="faint">'
        f"{say_count(len(songs), 'song')}, heard by {escape(judge)}</p>"
        f'<button type="button" class="button close-cell">Close</button></header>{found}</section>'
    )


def _song(source: str, judge: str, song: CellSong, compared: Sequence[str], at: int) -> str:
    query = urlencode({"prompt": song.prompt, "seed": song.seed, "composition": song.composition})
    place = f"/v1/evidence/{source}"
    audio = f"cell-audio-{at}"
    sound = (
        f'<audio id="{audio}" controls preload="none" src="{escape(f"{place}/audio?{query}")}" '
        f'aria-label="Song {at} as it was measured"></audio>'
        if song.sound
        else '<p class="faint">The sound was not kept. The same seed sings it again.</p>'
    )
    maps = (
        f'<details class="maps" data-src="{escape(f"{place}/attention?{query}")}" data-audio="#{audio}">'
        "<summary>Where it looked while it sang</summary></details>"
        if song.maps
        else ""
    )
    kind = f"<b>{escape(song.failure)}</b>" + (f", {KINDS[song.failure]}" if song.failure in KINDS else "")
    judged = verdict(judge, song.lyrics, Heard(song.transcript, (), 0.0, 0.0))
    judged["wer"] = song.wer  # the table's own, should our alignment differ
    return (
        f'<li><article aria-label="Song {at}"><h4>{escape(song.caption) or "no style"}</h4>'
        f'<p class="faint">{escape(song.prompt)} · {hinted(f"seed {song.seed}", "seed")} · '
        f"{hinted(f'{say_percent(song.wer)} % wrong', 'wer')} · {hinted('kind', 'failures')}: {kind}</p>"
        f"{sound}{show_verdict(judged, song.lyrics)}{maps}{_again(song, compared)}</article></li>"
    )


def _again(song: CellSong, compared: Sequence[str]) -> str:
    """Buttons that sing the prompt now, with what they need."""
    asked = escape(json.dumps(song.request))
    others = f" data-compositions='{escape(json.dumps(list(compared)))}'" if len(compared) > 1 else ""
    compare = (
        '<button type="button" class="button" data-compare>'
        f"Compare {len(compared)} compositions on this prompt</button>"
        if others
        else ""
    )
    return (
        f"<sing-again data-request='{asked}'{others} data-measured=\"{song.wer}\"><p class='asking-again'>"
        f'<button type="button" class="button" data-sing>Sing it now</button>{compare}{hint("seed")}</p>'
        '<div class="sung-again"></div></sing-again>'
    )
