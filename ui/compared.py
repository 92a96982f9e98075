"""The songs of a comparison as HTML: what it is of, a card for each song, its picks, and its attention maps.

Blind, nothing tells which song was sung by what: no names, no reasons, no words, and no order in which they are done.
Knows how songs stand, and neither the service nor the page; everything a person typed is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from router.feedback import Vote
from ui.choices import name_composition
from ui.figures import say_moment
from ui.form import complaint
from ui.hints import hint
from ui.loudness import NO_LEVEL, Level
from ui.progress import show_status
from ui.standings import Standing
from ui.verdict import show_verdict

#: ``open``: all is told; ``blind``: nothing is; ``revealed``: all is told, in the order and with the letters that
#: were heard blind.
Mode = Literal["open", "blind", "revealed"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EMPTY = (
    '<div class="empty"><p>Type some lyrics, choose by what they are sung, press <b>Sing all</b>.</p>'
    "<p>The songs appear here beside each other, equally loud.</p></div>"
)


@dataclass(frozen=True)
class Compared:
    """What is shown of a comparison. ``songs`` in the order in which they are shown; ``missing``: how many of it are
    not there any more; ``trouble``: HTML of what went wrong last."""

    id: str
    mode: Mode
    songs: Sequence[Standing]
    levels: dict[str, Level] = field(default_factory=dict)
    votes: Sequence[Vote] = ()
    missing: int = 0
    trouble: str = ""
    votable: bool = True

    @property
    def going(self) -> bool:
        return any(song.going for song in self.songs)

    @property
    def blind(self) -> bool:
        return self.mode == "blind"

    @property
    def can_vote(self) -> bool:
        """Whether a pick can be made now."""
        return self.votable and len(self.songs) > 1 and all(song.state == "done" for song in self.songs)

    def name(self, song: Standing) -> str:
        """The composition that sings."""
        return name_composition(song.request)

    def title(self, place: int) -> str:
        """What a song is called here."""
        letter, name = LETTERS[place], self.name(self.songs[place])
        return {"open": name, "blind": letter, "revealed": f"{letter}: {name}"}[self.mode]


def show_about(shown: Compared) -> str:
    """What is compared, how far it is, what was picked, and what can be done with it."""
    request = shown.songs[0].request
    title = escape(str(request.get("caption", "")).strip() or "Songs without a style")
    facts = f"{_count(len(shown.songs), 'song')} of one noise · seed {escape(str(request.get('seed')))}{hint('seed')}"
    lyrics = escape(str(request.get("lyrics", "")).strip())
    words = f"<details><summary>Lyrics</summary><p class='compared-lyrics'>{lyrics}</p></details>" if lyrics else ""
    parts = [
        f'<h2>{title}</h2><p class="faint">{facts}</p>{words}',
        shown.trouble,
        _gaps(shown),
        _progress(shown),
        _picks(shown),
        _acts(shown),
    ]
    return f'<section class="compared-about" aria-label="This comparison">{"".join(parts)}</section>'


def show_title(shown: Compared, place: int) -> str:
    """A song's letter or name, or both."""
    song = shown.songs[place]
    letter = "" if shown.mode == "open" else f'<span class="letter">{LETTERS[place]}</span>'
    chips = ""
    if not shown.blind:
        chips += '<b class="chip">routed</b>' if song.choice.decision is not None else ""
        chips += '<b class="chip">picked</b>' if _is_picked(shown, song) else ""
    name = f"<span>{'Song' if shown.blind else escape(shown.name(song))}</span>"
    parts = (name, letter) if shown.blind else (letter, name)
    return f'<h3 class="song-title">{" ".join(filter(None, parts))} {chips}</h3>'


def show_player(shown: Compared, place: int) -> str:
    """A song's player, once there is something to be played. It is the same before and after names are told, so that
    telling them stops no song."""
    song = shown.songs[place]
    if song.state != "done" or (shown.blind and shown.going):
        return ""
    return (
        f'<audio controls preload="auto" aria-label="Song {place + 1}" src="/v1/songs/{song.id}/audio"></audio>'
        f'<p class="switching"><button type="button" class="button" data-switch>Switch to this <kbd>{place + 1}</kbd>'
        "</button></p>"
    )


def show_body(shown: Compared, place: int) -> str:
    """How a song stands, how loud it is played, and what the judge heard in it."""
    song = shown.songs[place]
    if shown.blind and shown.going:
        return ""
    if song.state != "done":
        if shown.blind and song.state == "failed":
            return complaint("this song failed; why is told with the names")
        return f'<div class="song-state">{show_status(song)}</div>'
    level = shown.levels.get(song.id, NO_LEVEL)
    pick = ""
    if shown.can_vote:
        label = f"I like {escape(shown.title(place))} best"
        pick = (
            f'<p class="picking"><button type="button" class="button primary" data-compare="pick" '
            f'data-song="{song.id}" aria-label="{label}">I like this best</button></p>'
        )
    told = "" if shown.blind else show_verdict(song.judged, str(song.request.get("lyrics", ""))) + _links(song)
    return f"{_loudness(level)}{pick}{told}"


def show_maps(shown: Compared) -> str:
    """The attention maps of all songs that kept some, once none is being sung."""
    there = [p for p, song in enumerate(shown.songs) if song.record is not None and song.record.get("attention")]
    if shown.going or not there:
        return ""
    songs = [{"song": shown.songs[place].id, "title": shown.title(place)} for place in there]
    return (
        f'<section class="compared-maps">'
        f'<attention-compare data-songs="{escape(json.dumps(songs), quote=True)}" '
        'data-audio="#compared-cards audio"></attention-compare></section>'
    )


def show_list(found: Sequence[tuple[str, Sequence[Standing]]], opened: str, picked: Callable[[str], bool]) -> str:
    """The latest comparisons, each a link that also works on its own. No compositions stand in it: one of them may be
    listened to blind."""
    if not found:
        return '<p class="faint">Nothing was compared yet.</p>'
    return f'<ul class="compared-list">{"".join(_item(i, songs, i == opened, picked(i)) for i, songs in found)}</ul>'


def show_gone(comparison: str) -> str:
    """Told where a comparison was asked for that is not there."""
    return complaint(f"there is no comparison {comparison[:40]!r} any more: open another one, or sing a new one")


def tell_pick(shown: Compared, song: Standing, blind: bool) -> str:
    """What is told once a pick is written down."""
    place = next((p for p, other in enumerate(shown.songs) if other.id == song.id), 0)
    letter = f"{LETTERS[place]}, sung by " if shown.mode == "revealed" else ""
    how = " It counts as picked blind." if blind else ""
    return (
        f'<p class="note-box told" role="status"><strong>Written down:</strong> you like {letter}'
        f"<b>{escape(shown.name(song))}</b> best.{how}</p>"
    )


def _progress(shown: Compared) -> str:
    ended = sum(not song.going for song in shown.songs)
    if not shown.going:
        listening = any((song.judged or {}).get("state") == "waiting" for song in shown.songs)
        if listening and not shown.blind:
            return '<p class="working" role="status">The judge is listening…</p>'
        return ""
    step, steps = (sum(getattr(song, name) for song in shown.songs) for name in ("step", "steps"))
    told = "They are played once all are done. " if shown.blind else ""
    share = 100 * step / steps if steps else 0
    return (
        f'<div class="going"><p role="status">{ended} of {_count(len(shown.songs), "song")} done. {told}</p>'
        f'<div class="track" role="progressbar" aria-label="Steps of all songs" aria-valuemin="0" '
        f'aria-valuemax="{steps}" aria-valuenow="{step}"><div style="width:{share:.0f}%"></div></div></div>'
    )


def _gaps(shown: Compared) -> str:
    if not shown.missing:
        return ""
    is_there = "is" if shown.missing == 1 else "are"
    return (
        f'<p class="note-box">{_count(shown.missing, "song")} of this comparison {is_there} not there any more: '
        "deleted, or never finished.</p>"
    )


def _picks(shown: Compared) -> str:
    if shown.blind:
        what = "Listen, and pick the one you like best: then all is told." if shown.can_vote else ""
        return what and f'<p class="faint">{what}</p>'
    if not shown.votes:
        return ""
    last, earlier = shown.votes[-1], len(shown.votes) - 1
    name = name_composition({"composition": last.winner})
    how = "blind" if last.blind else "with the names in sight"
    more = f" {_count(earlier, 'earlier pick')} of it {'is' if earlier == 1 else 'are'} kept too." if earlier else ""
    when = say_moment(last.time)
    return f'<p class="picks">Picked as the best: <b>{escape(name)}</b>, on {when}, {how}.{more}{hint("picks")}</p>'


def _acts(shown: Compared) -> str:
    found = []
    if shown.blind:
        found.append(("show", "Show the names without a pick"))
    elif len(shown.songs) > 1 and not shown.going:
        found.append(("blind", "Listen blind"))
    found.append(("use", "Put its words into the form"))
    keys = ""
    if any(song.state == "done" for song in shown.songs) and not (shown.blind and shown.going):
        keys = f'<span class="faint">Keys 1 to {len(shown.songs)} switch songs at the same moment.</span>'
    buttons = "".join(
        f'<button type="button" class="button" data-compare="{act}">{name}</button>' for act, name in found
    )
    return f'<p class="acts">{buttons}{keys}</p>'


def _is_picked(shown: Compared, song: Standing) -> bool:
    return bool(shown.votes) and name_composition({"composition": shown.votes[-1].winner}) == shown.name(song)


def _loudness(level: Level) -> str:
    if level.loudness is None or level.gain is None:
        return f'<p class="level faint">No loudness: silent, or too short to tell.{hint("loudness")}</p>'
    gain = "0.0" if level.gain > -0.05 else f"−{-level.gain:.1f}"
    return (
        f'<song-level data-volume="{level.volume:.5f}"></song-level><p class="level faint">levelled by {gain} dB'
        f"{hint('levelled')} from {_signed(level.loudness)} LUFS{hint('loudness')}</p>"
    )


def _links(song: Standing) -> str:
    audio = f"/v1/songs/{song.id}/audio"
    files = "".join(
        f'<a class="download" href="{audio}?format={form}" download="choirmaster-{song.id}.{form}">{form}</a>'
        for form in ("flac", "wav", "mp3")
    )
    own = f'<a class="button" href="/?song={song.id}" data-go="sing" data-song="{song.id}">Open in Sing</a>'
    return f'<p class="downloads">{own}<span>Download</span>{files}</p>'


def _item(comparison: str, songs: Sequence[Standing], opened: bool, picked: bool) -> str:
    request = songs[0].request
    caption = str(request.get("caption", "")).strip() or "no style"
    lyrics = " / ".join(str(request.get("lyrics", "")).split("\n")).strip() or "instrumental"
    facts = [_count(len(songs), "song"), say_moment(songs[0].created), "picked" if picked else ""]
    if any(song.going for song in songs):
        facts.append("being sung")
    address = f"/?tab=compare&amp;comparison={comparison}"
    current = ' aria-current="true"' if opened else ""
    go = f'data-go="compare" data-comparison="{comparison}"'
    return (
        f'<li><a href="{address}" {go}{current}><b>{escape(caption[:80])}</b>'
        f'<span class="faint">{escape(lyrics[:90])}</span>'
        f'<span class="facts">{" · ".join(filter(None, facts))}</span></a>'
        f'<a class="button" href="{address}&amp;blind=1" {go} data-blind="1" '
        f'aria-label="Listen blind: {escape(caption[:80])}">Listen blind</a></li>'
    )


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
