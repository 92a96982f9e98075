"""The plan as a picture: one strip per sung line, a bar per syllable at its time and pitch, words above their bars.

Draws SVG whose positions are percentages, so that it fits any width without stretching its letters. Knows a plan and
its lyrics; the sound is somebody else's, ``browser/plan.js`` moves the cursor along with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from engine.lyrics import parse_lyrics
from engine.plan import FRAME_RATE, Note, Plan
from ui.hints import hinted

#: A strip lasts at most this long before it is broken at a word, in frames.
LONGEST_STRIP = 4 * FRAME_RATE
_HEIGHT, _TOP, _BAR = 68, 32, 8
#: Of the 100 % of a strip at its narrowest, one letter takes so many; a word that would touch the last goes below it.
_LETTER = 1.35


def draw_plan(plan: Plan, lyrics: str) -> str:
    """The picture as HTML; all words are escaped."""
    words = [word.text for word in parse_lyrics(lyrics).words]
    strips = break_into_strips(plan.notes)
    if not strips:
        return ""
    longest = max(strip[-1].start + strip[-1].frames - strip[0].start for strip in strips)
    pitches = [note.midi for note in plan.notes]
    low, high = min(pitches), max(pitches)
    drawn = "".join(_strip(strip, words, longest, low, high) for strip in strips)
    sung = "each bar a syllable" if plan.notes[0].slot >= 0 else "each bar a note"
    label = f"The plan: {len(plan.notes)} notes in {plan.seconds:.1f} seconds"
    return (
        f'<section class="plan" aria-label="{label}"><h3>Plan <small>{sung}, time from left to right, higher is higher'
        f"; {hinted(f'{plan.bpm:.0f} beats a minute', 'tempo')}</small></h3>"
        f"<div class='strips' tabindex='0' role='region' aria-label='Plan, line by line'>{drawn}</div></section>"
    )


def break_into_strips(notes: Sequence[Note]) -> list[list[Note]]:
    """One strip per line; a long line, or an instrumental, is broken between words."""
    strips: list[list[Note]] = []
    for note in notes:
        last = strips[-1] if strips else None
        if last is not None and note.line == last[-1].line:
            begins_word = note.word < 0 or note.word != last[-1].word
            if not (begins_word and note.start + note.frames - last[0].start > LONGEST_STRIP):
                last.append(note)
                continue
        strips.append([note])
    return strips


def _strip(strip: list[Note], words: list[str], longest: int, low: float, high: float) -> str:
    begin, end = strip[0].start, strip[-1].start + strip[-1].frames
    parts: list[str] = []
    said, free = None, [0.0, 0.0]  # where each of two rows of words is free from
    for note in strip:
        x, width = 100 * (note.start - begin) / longest, 100 * note.frames / longest
        y = _HEIGHT - _BAR - 2 - (_HEIGHT - _TOP - _BAR - 4) * ((note.midi - low) / (high - low) if high > low else 0.5)
        times = f'data-from="{note.start / FRAME_RATE:.2f}" data-to="{(note.start + note.frames) / FRAME_RATE:.2f}"'
        parts.append(
            f'<rect class="note" {times} x="{x:.2f}%" y="{y:.1f}" width="{max(0.6, width - 0.35):.2f}%" '
            f'height="{_BAR}" rx="3"/>'
        )
        if 0 <= note.word < len(words) and note.word != said:
            said = note.word
            row = 0 if x >= free[0] else 1
            free[row] = x + _LETTER * (len(words[note.word]) + 1)
            parts.append(f'<text x="{x:.2f}%" y="{13 + 13 * row}">{escape(words[note.word])}</text>')
    text = " ".join(words[w] for w in dict.fromkeys(n.word for n in strip) if 0 <= w < len(words)) or "notes"
    return (
        f'<svg class="strip" role="img" aria-label="{escape(text)}" height="{_HEIGHT}" '
        f'data-from="{begin / FRAME_RATE:.2f}" data-to="{end / FRAME_RATE:.2f}" '
        f'data-long="{longest / FRAME_RATE:.2f}">{"".join(parts)}'
        f'<line class="cursor" x1="0" x2="0" y1="2" y2="{_HEIGHT}"/></svg>'
    )
