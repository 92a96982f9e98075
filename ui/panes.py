"""The parts of the page that show one song, or one cascade by its best or latest take, and what each should show.

Of all parts only what changed is sent. Knows the service of songs and how each part is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.engine import Job
from engine.errors import ChoirmasterError
from engine.lyrics import parse_lyrics
from engine.plan import Plan
from ui.choices import NOTHING, Choice, TakeOf
from ui.decided import show_decision
from ui.form import complaint
from ui.picture import draw_plan
from ui.progress import EMPTY, show_player, show_status
from ui.recent import SHOWN, show_recent
from ui.songs import Songs
from ui.standings import Standing
from ui.take_list import show_takes
from ui.takes import CascadeOptions, CascadeStanding
from ui.verdict import show_verdict

#: What a session was shown last, so that only what changed is sent: playing must not stop when the judge is done.
Seen = dict[str, Any]


@dataclass(frozen=True)
class View:
    """What an id in the address stands for: a song, with the cascade it is a take of, or a cascade by one song."""

    song: Standing | None = None
    cascade: CascadeStanding | None = None
    whole: bool = False  # whether the id is the cascade's

    @property
    def going(self) -> bool:
        """Whether there is something to cancel: a take's cascade may go on when the take is done."""
        if self.cascade is not None and self.cascade.state == "going":
            return True
        return not self.whole and self.song is not None and self.song.going

    @property
    def request(self) -> dict[str, Any] | None:
        """What was asked for."""
        if self.whole and self.cascade is not None:
            return self.cascade.request
        return None if self.song is None else self.song.request

    @property
    def choice(self) -> Choice:
        """Why it is sung as it is; of a cascade without a song, what it was begun with."""
        if self.song is not None:
            return self.song.choice
        return NOTHING if self.cascade is None else Choice(self.cascade.decision, _first_take(self.cascade))


class Panes:
    """What each part should show. ``NAMES`` in the order in which they stand on the page."""

    NAMES = ("status", "player", "takes", "verdict", "maps", "picture", "decided", "recent")

    def __init__(self, songs: Songs) -> None:
        self.songs = songs

    def view(self, opened: str) -> View:
        """What an id stands for; an empty view where there is nothing of it."""
        if not opened:
            return View()
        song = self.songs.standing(opened)
        if song is not None:
            take = song.choice.take
            return View(song, None if take is None else self.songs.cascades.standing(take.cascade))
        cascade = self.songs.cascades.standing(opened)
        if cascade is None:
            return View()
        return View(self.songs.standing(cascade.shown) if cascade.shown else None, cascade, whole=True)

    def cancel(self, opened: str) -> None:
        """Stop a song, or the whole cascade that it is a take of."""
        view = self.view(opened)
        if view.cascade is not None and view.cascade.state == "going":
            self.songs.cascades.cancel(view.cascade.id)
        else:
            self.songs.cancel(opened)

    def key(self, opened: str) -> tuple[Any, ...]:
        """Differs whenever the page may have something new to show."""
        job = self._job(opened) if opened else None
        place = self.songs.engine.place(job) if job is not None and job.state == "queued" else 0
        return (
            opened,
            self.songs.changes,
            self.songs.listener.state,
            self.songs.routing.state,
            job.state if job else None,
            job.step if job else 0,
            job.unwanted if job else False,
            place,
        )

    def show(self, opened: str, seen: Seen) -> list[Any]:
        """Updates of all panes, then what has been seen."""
        key = self.key(opened)
        if seen.get("key") == key:
            return [gr.skip()] * (len(self.NAMES) + 1)
        changes = (opened, self.songs.changes)  # the list costs a look at every song on disk: not for a mere step
        listed = seen["recent"] if seen.get("changes") == changes else show_recent(self.songs.listed(SHOWN), opened)
        shown = dict(zip(self.NAMES, (*self._contents(opened), listed), strict=True))
        shown["maps"] = keep_maps(str(seen.get("maps", "")), shown["maps"])
        updates = [gr.skip() if seen.get(n) == html else html for n, html in shown.items()]
        return [*updates, {"key": key, "changes": changes, **shown}]

    def cancelling(self, opened: str) -> bool:
        """Whether what is being sung there ends with its next step."""
        job = self._job(opened) if opened else None
        return job is not None and job.unwanted and not job.ended

    def _job(self, opened: str) -> Job | None:
        return self.songs.engine.job(opened) or self.songs.cascades.job(opened)

    def _contents(self, opened: str) -> tuple[str, ...]:
        view = self.view(opened)
        song, cascade = view.song, view.cascade
        if song is None and cascade is None:
            gone = complaint(f"there is no song {opened[:40]!r} any more: open another one") if opened else EMPTY
            return gone, *[""] * (len(self.NAMES) - 2)
        takes = show_takes(cascade, None if song is None else song.id)
        decision = view.choice.decision or (None if cascade is None else cascade.decision)
        decided = show_decision(decision, opened=False)
        if song is None:
            return "", "", takes, "", "", "", decided
        lyrics = str(song.request.get("lyrics", ""))
        # How a take ended is told among the takes.
        status = "" if view.whole and not song.going else show_status(song, self.cancelling(opened))
        verdict, picture = show_verdict(song.judged, lyrics), self._picture(song, lyrics)
        return status, show_player(song), takes, verdict, show_maps(song), picture, decided

    def _picture(self, standing: Standing, lyrics: str) -> str:
        if standing.state in ("failed", "cancelled"):
            return ""
        try:
            if standing.record is not None:
                stored = standing.record.get("plan")
                plan = None if stored is None else Plan.model_validate(stored)
            else:
                job = self.songs.engine.job(standing.id)
                plan = None if job is None else self.songs.preview(job.request)[0]
            return "" if plan is None else draw_plan(plan, lyrics)
        except (ChoirmasterError, ValueError, ArithmeticError):  # a plan changed by hand may be none
            return ""


def show_maps(standing: Standing) -> str:
    """The attention of a song, as an element that draws itself (``browser/attention.js``); nothing where none is kept,
    or there are no words for it to fall on."""
    kept = standing.request.get("attention", {}) is not None and standing.state not in ("failed", "cancelled")
    if standing.record is not None:
        kept = standing.record.get("attention") is True
    if not kept or not parse_lyrics(str(standing.request.get("lyrics", ""))).lines:
        return ""
    live = "1" if standing.going else "0"
    return (
        f'<section class="maps" aria-label="Attention"><attention-map data-song="{standing.id}" data-live="{live}" '
        'data-audio="#player audio"></attention-map></section>'
    )


def keep_maps(before: str, now: str) -> str:
    """What is to be shown: an element that has followed its song from the beginning stays as it is."""
    return before if before and now and _song_of(before) == _song_of(now) else now


def _song_of(maps: str) -> str:
    return maps.partition('data-song="')[2].partition('"')[0]


def _first_take(cascade: CascadeStanding) -> TakeOf:
    options = {**CascadeOptions().model_dump(), **cascade.options}
    name = "base" if cascade.decision is None else cascade.decision.name
    return TakeOf(cascade.id, 0, name, options["budget"], options["stop_wer"], options["retry"])
