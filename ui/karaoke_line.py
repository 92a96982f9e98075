"""The words of a song in their times, as HTML that follows the audio; or why they have none.

``browser/karaoke.js`` marks the line and the word that sound, and plays from a word that is pressed. Knows a stored
song's JSON, which anybody may have changed; all of it is escaped.
"""

from __future__ import annotations

from html import escape
from typing import Any

from pydantic import ValidationError

from engine.karaoke import Karaoke, KaraokeLine
from engine.lyrics import parse_lyrics
from ui.hints import hint


def read_karaoke(record: dict[str, Any]) -> Karaoke | None:
    """The stored times, or None where there are none that can be read."""
    try:
        return Karaoke.model_validate(record.get("karaoke"))
    except ValidationError:
        return None


def show_karaoke(record: dict[str, Any], lyrics: str, audio: str = "#player audio") -> str:
    """Words in their times; ``audio``: selector of the audio they follow. Nothing for an instrumental."""
    if not parse_lyrics(lyrics).lines:
        return ""
    karaoke = read_karaoke(record)
    if karaoke is None or not karaoke.lines:
        reason = (karaoke and karaoke.reason) or _why_none(record)
        return f'<p class="faint no-times">The words cannot follow the song: {escape(reason)}.</p>'
    lines = "".join(map(_line, karaoke.lines))
    score = "" if karaoke.score is None else f" {karaoke.score:.2f}{hint('alignment_score')}"
    return (
        f'<karaoke-line data-audio="{escape(audio)}"><div class="karaoke" role="group" tabindex="0" '
        f'aria-label="The words in time; press one to play from there">{lines}</div></karaoke-line>'
        f'<p class="faint">Times read off its attention, steadiness{score or " unknown"}.</p>'
    )


def _why_none(record: dict[str, Any]) -> str:
    if not record.get("attention"):
        return "no attention was watched while it was sung"
    return "no times are stored with it"


def _line(line: KaraokeLine) -> str:
    words = " ".join(
        f'<button type="button" class="kw" data-from="{word.start:.3f}" data-to="{word.end:.3f}">'
        f"{escape(word.text)}</button>"
        for word in line.words
    )
    return f'<p class="kl" data-from="{line.start:.3f}" data-to="{line.end:.3f}">{words}</p>'
