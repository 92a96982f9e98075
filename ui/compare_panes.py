"""The parts of the page that show one comparison, and what each should show. Of all parts only what changed is sent,
so that nothing stops playing because the judge is done with another song.

Knows the services of songs and picks, and how each part is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock
from typing import Any, cast, get_args

import gradio as gr

from engine.errors import ChoirmasterError
from engine.song_query import SongQuery
from router.errors import RouterError
from ui.blind import shuffle
from ui.compared import (
    EMPTY,
    Compared,
    Mode,
    show_about,
    show_body,
    show_gone,
    show_list,
    show_maps,
    show_player,
    show_title,
    tell_pick,
)
from ui.form import complaint
from ui.listing import Listing
from ui.loudness import Loudness
from ui.songs import MAX_COMPARED, Songs
from ui.standings import Standing
from ui.voting import Voting

#: Songs that are looked through for the latest comparisons, and how many of these are listed.
LOOKED_THROUGH, LISTED = 96, 12
#: Looks without anything going before nobody looks any more: a moment passes between a song's end and its judgement.
QUIET_LOOKS = 2
#: What a session was shown last, and what it knows of the comparison: ``counts`` of songs by comparison, ``named``:
#: comparisons whose names it was told, ``trouble``: HTML of what went wrong last, ``ended``: how many songs have,
#: ``quiet``: looks at nothing going, ``page``: comparison and mode that the session turned to last, ``strays``: looks
#: at others since, ``lock``: held while any of it is read and written. One and the same for all of a session: its
#: events run at the same time, and what one of them wrote must not be lost by another.
Seen = dict[str, Any]
#: Looks at another page than the session turned to, after which that is believed to be what the browser shows.
_STRAYS = 4


def lock_of(seen: Seen) -> RLock:
    """The session's lock."""
    return cast(RLock, seen.setdefault("lock", RLock()))


def is_outdated(seen: Seen, opened: str, mode: str) -> bool:
    """Whether somebody turned the page while a look at ``opened`` was under way: then it must neither be shown nor end
    the looking. Where such looks go on, two turns were answered in another order than they were told in: the page is
    what the browser says it is, and all of it is shown anew. The lock must be held."""
    if seen.setdefault("page", [opened, mode]) == [opened, mode]:
        seen["strays"] = 0
        return False
    seen["strays"] = int(seen.get("strays", 0)) + 1
    if seen["strays"] <= _STRAYS:
        return True
    seen.update(page=[opened, mode], strays=0, quiet=0, html={})
    return False


def read_mode(given: object) -> Mode:
    """The mode that a page says it is in."""
    return cast(Mode, given) if given in get_args(Mode) else "open"


class ComparePanes:
    """What each part should show. ``NAMES`` in the order of updates."""

    NAMES = (
        "about",
        *(f"{part}{place}" for place in range(MAX_COMPARED) for part in ("title", "player", "body")),
        "maps",
    )

    def __init__(self, songs: Songs, voting: Voting | None) -> None:
        self.songs, self.voting = songs, voting
        self.loudness = Loudness(songs.sound)

    def look(self, comparison: str, mode: Mode, seen: Seen) -> Compared | None:
        """What there is of a comparison; None where nothing is left, or it is a cascade."""
        found = self.songs.comparison(comparison) if comparison else []
        if not found or any(song.choice.take is not None for song in found):
            return None
        places = [song.comparison_place for song in found]
        counts = seen.setdefault("counts", {})
        counts[comparison] = max(counts.get(comparison, 0), len(found), 1 + max(p or 0 for p in places))
        votes, trouble = [], str(seen.get("trouble", ""))
        if self.voting is not None:
            try:
                votes = self.voting.of(comparison)
            except RouterError as error:
                trouble += complaint(str(error))
        return Compared(
            comparison,
            mode,
            found if mode == "open" else shuffle(comparison, places, found),
            self.loudness.levels([song.id for song in found if song.state == "done"]),
            votes,
            counts[comparison] - len(found),
            trouble,
            self.voting is not None,
        )

    def going(self, comparison: str, seen: Seen) -> bool:
        """Whether to look again; told ``seen``, since what has just ended may still be on the way to the judge."""
        found = self.songs.comparison(comparison) if comparison else []
        settled, seen["ended"] = all(song.settled for song in found), sum(not song.going for song in found)
        seen["quiet"] = int(seen.get("quiet", 0)) + 1 if settled else 0
        return bool(comparison) and seen["quiet"] <= QUIET_LOOKS

    def show(self, comparison: str, mode: Mode, seen: Seen) -> list[Any]:
        """Updates of all parts."""
        shown = self.look(comparison, mode, seen)
        html = dict.fromkeys(self.NAMES, "")
        if shown is None:
            html["about"] = self._nothing(comparison)
        else:
            if mode != "blind":
                seen.setdefault("named", set()).add(comparison)
            html["about"], html["maps"] = show_about(shown), show_maps(shown)
            for place in range(min(MAX_COMPARED, len(shown.songs))):
                html[f"title{place}"] = show_title(shown, place)
                html[f"player{place}"] = show_player(shown, place)
                html[f"body{place}"] = show_body(shown, place)
        last = seen.get("html", {})
        seen["html"] = html
        return [gr.skip() if last.get(name, "") == text else text for name, text in html.items()]

    def judge_again(self, comparison: str) -> None:
        """Let the judge hear songs that it has not judged yet."""
        for song in self.songs.comparison(comparison) if comparison else ():
            self.songs.judge_again(song.id)

    def cancel(self, comparison: str) -> None:
        """Stop all its songs."""
        for song in self.songs.comparison(comparison) if comparison else ():
            self.songs.cancel(song.id)

    def pick(self, comparison: str, mode: Mode, song_id: str, seen: Seen) -> Mode:
        """Write down that a song is the best, and the mode from then on; what went wrong is told in ``seen``."""
        blind = mode == "blind" and comparison not in seen.get("named", ())
        try:
            if self.voting is None:
                raise ChoirmasterError("picks cannot be written down here: start the server with a shelf of adapters")
            self.voting.vote(comparison, song_id, blind)
        except ChoirmasterError as error:
            seen["trouble"] = complaint(str(error))
            return mode
        after: Mode = "revealed" if mode == "blind" else mode
        seen["trouble"] = ""
        shown = self.look(comparison, after, seen)
        song = None if shown is None else next((one for one in shown.songs if one.id == song_id), None)
        seen["trouble"] = "" if shown is None or song is None else tell_pick(shown, song, blind)
        return after

    def latest(self, opened: str) -> str:
        """The latest comparisons, as HTML; cascades are none."""
        found: dict[str, list[Standing]] = {}
        for song in self.songs.listed(LOOKED_THROUGH, 0, Listing(SongQuery(compared=True))):
            if song.comparison is not None and song.choice.take is None:
                found.setdefault(song.comparison, []).append(song)
        picked = self._picked()
        return show_list(list(found.items())[:LISTED], opened, picked.__contains__)

    def requests(self, comparison: str) -> Sequence[dict[str, Any]]:
        """What was asked for, song by song in the order it was."""
        return [song.request for song in self.songs.comparison(comparison)] if comparison else []

    def _picked(self) -> set[str]:
        try:
            return set() if self.voting is None else {vote.comparison for vote in self.voting.read().votes}
        except RouterError:  # told beside the comparison
            return set()

    def _nothing(self, comparison: str) -> str:
        if not comparison:
            return EMPTY
        found = self.songs.comparison(comparison)
        if not found:
            return show_gone(comparison)
        link = (
            f'<a class="button" href="/?song={comparison}" data-go="sing" data-song="{comparison}">Open it in Sing</a>'
        )
        return f'<p class="note-box">These are takes of a cascade, sung one after the other. {link}</p>'
