"""Past songs as HTML, one entry each, as ``browser/history.js`` puts them into its list.

Knows how a song stands. What a person typed, and whatever a record says, is escaped; a record that was changed by hand
is shown as far as it can be, and as damaged.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ui.choices import name_composition
from ui.figures import say_moment, say_rate
from ui.hints import TERMS
from ui.recent import MARKS
from ui.standings import Standing
from ui.stored import DAMAGED, number, read_verdict

#: Characters of a caption, and of the lyrics.
MAX_TITLE, MAX_WORDS = 100, 160
#: A word error rate up to which a song is called good, and fair; as beside its transcript.
GOOD, FAIR = 0.2, 0.5
SOUNDS = ("flac", "wav", "mp3", "ogg")


def show_entries(standings: Sequence[Standing]) -> str:
    """The entries in their order."""
    return "".join(map(show_entry, standings))


def show_entry(standing: Standing) -> str:
    """One entry. ``data-stamp`` is another one where anything of it has changed."""
    title, song = name_song(standing), standing.id
    picked = f'<input type="checkbox" aria-label="Select {escape(title)}">' if standing.state == "done" else ""
    inner = (
        f'<div class="pick">{picked}</div><div class="about"><h3><a href="/?song={song}" data-go="sing" '
        f'data-song="{song}">{escape(title)}</a></h3><p class="words">{escape(_first_words(standing))}</p>'
        f'<p class="facts">{"".join(_facts(standing))}</p>{_error(standing)}</div>{_sound(standing, title)}'
        f'<div class="actions">{_actions(standing, title)}</div>'
    )
    stamp = f"{zlib.crc32(inner.encode()):08x}"
    return (
        f'<li class="past {standing.state}" data-key="{song}" data-stamp="{stamp}" data-title="{escape(title)}">'
        f"{inner}</li>"
    )


def name_song(standing: Standing) -> str:
    """What an entry is called."""
    caption = standing.request.get("caption")
    caption = " ".join(caption.split()) if isinstance(caption, str) else ""
    return _cut(caption, MAX_TITLE) or "A song without a style"


def show_answer(about: Mapping[str, Any]) -> str:
    """What the browser is told. In one attribute, since Gradio changes a component's content piece by piece."""
    return f'<past-answer data-about="{escape(json.dumps(dict(about)))}"></past-answer>'


def _first_words(standing: Standing) -> str:
    lyrics = standing.request.get("lyrics")
    lines = lyrics.splitlines() if isinstance(lyrics, str) else []
    words = " / ".join(line for line in (" ".join(line.split()) for line in lines) if line)
    return _cut(words, MAX_WORDS) or "instrumental"


def _facts(standing: Standing) -> list[str]:
    """Facts of an entry, each with what it means."""
    found = []
    if standing.created:
        shown = say_moment(standing.created) or "time unknown"
        found.append(f'<time datetime="{escape(standing.created[:40])}">{shown}</time>')
    if standing.record is not None and (seconds := number(standing.record.get("seconds"))) > 0:
        found.append(f'<span data-hint="{escape(TERMS["length"])}">{seconds:.1f} s</span>')
    found.append(_chip(_cut(name_composition(standing.request), MAX_TITLE), TERMS["composition"]))
    found.append(_rate(standing))
    take, choice = standing.choice.take, standing.choice
    if take is not None:
        link = f'href="/?song={escape(take.cascade)}" data-go="sing" data-song="{escape(take.cascade)}"'
        found.append(f'<a class="mark" {link}>take {take.place + 1} of a cascade</a>')
    elif standing.comparison:
        group = escape(standing.comparison[:64])
        link = f'href="/?tab=compare&amp;comparison={group}" data-go="compare" data-comparison="{group}"'
        found.append(f'<a class="mark" {link}>part of a comparison</a>')
    if choice.decision is not None and take is None:
        found.append(
            _chip("routed", "What it is sung with was chosen by the router, from its style and words.", "mark")
        )
    if standing.state == "done" and _is_damaged(standing):
        said = "Its JSON was changed on the disk; what cannot be read of it is left out."
        found.append(_chip("damaged", said, "mark bad"))
    return found


def _rate(standing: Standing) -> str:
    """The word error rate, or why there is none."""
    if standing.state != "done":
        return _chip(MARKS.get(standing.state, standing.state), "How far this song is.", f"mark {standing.state}")
    verdict = read_verdict(standing.judged)
    if verdict["state"] == "judged":
        rate = number(verdict["wer"])
        level = "good" if rate <= GOOD else "fair" if rate <= FAIR else "poor"
        return f'<span class="rate {level}" data-hint="{escape(TERMS["wer"])}">WER <b>{say_rate(rate)}</b></span>'
    if verdict["state"] == "waiting":
        return '<span class="rate">being judged</span>'
    name = "no words to judge" if verdict["state"] == "wordless" else "not judged"
    reason = str(verdict.get("reason") or "")
    return f'<span class="rate" data-hint="{escape(reason[:300])}">{name}</span>'


def _is_damaged(standing: Standing) -> bool:
    record, request = standing.record or {}, standing.request
    texts = all(isinstance(request.get(name, ""), str) for name in ("caption", "lyrics"))
    whole = bool(request) and texts and number(record.get("seconds")) > 0 and bool(standing.created)
    return not whole or read_verdict(standing.judged) is DAMAGED


def _error(standing: Standing) -> str:
    return f'<p class="fault">{escape(standing.error[:300])}</p>' if standing.error else ""


def _sound(standing: Standing, title: str) -> str:
    if standing.state != "done":
        return '<div class="sound"></div>'
    audio = f"/v1/songs/{standing.id}/audio"
    return (
        f'<div class="sound"><audio controls preload="none" aria-label="{escape(title)}" src="{audio}"></audio></div>'
    )


def _actions(standing: Standing, title: str) -> str:
    """What can be done with a song: links that work on their own, downloads, deletion."""
    song, name = standing.id, escape(title)
    address = f'href="/?song={song}" data-song="{song}"'
    asked = bool(standing.request)
    shown = [f'<a class="button" {address} data-go="sing" aria-label="Open {name}">Open</a>']
    if asked and not standing.going:
        again = f'{address} data-go="sing" data-again="1" aria-label="Sing again: {name}"'
        shown.append(f'<a class="button" {again}>Sing again</a>')
        compare = f'href="/?tab=compare" data-go="compare" data-song="{song}" aria-label="Compare: {name}"'
        shown.append(f'<a class="button" {compare}>Compare</a>')
    if standing.state == "done":
        shown.append(_downloads(standing, name))
    verb = "Cancel" if standing.going else "Delete" if standing.state == "done" else "Clear away"
    shown.append(f'<button type="button" class="button remove" aria-label="{verb} {name}">{verb}</button>')
    return "".join(shown)


def _downloads(standing: Standing, name: str) -> str:
    own, record = f"/v1/songs/{standing.id}", standing.record or {}
    files = [(form, f"{own}/audio?format={form}") for form in SOUNDS]
    if isinstance(timed := record.get("karaoke"), dict) and timed.get("lines"):
        files.append(("lrc", f"{own}/karaoke?format=lrc"))
    if record.get("attention") is True:
        files.append(("npz", f"{own}/attention"))
    files.append(("json", own))
    links = "".join(
        f'<a class="download" href="{place}" download="choirmaster-{standing.id}.{form}">{form}</a>'
        for form, place in files
    )
    return (
        f'<details class="files"><summary class="button" aria-label="Download {name}">Download</summary>'
        f'<p class="downloads">{links}</p></details>'
    )


def _chip(said: str, meaning: str, kind: str = "chip") -> str:
    return f'<span class="{kind}" data-hint="{escape(meaning)}">{escape(said)}</span>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
