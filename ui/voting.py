"""A person's pick among the songs of a comparison: whether it can be one, and what is written down of it.

Knows the service of songs, the shelf and the log of picks. That a song of the loaded model's name was sung by exactly
the loaded weights is taken for granted; of adapters it is checked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from adapters.errors import AdapterError, ChoirmasterError
from adapters.field_faults import say_first
from adapters.fingerprints import fingerprint_adapter
from adapters.store import AdapterStore
from engine.bank import fingerprint as fingerprint_weights
from router.feedback import FEEDBACK, Feedback, FeedbackLog, Vote
from ui.songs import Songs
from ui.standings import Standing

#: What songs must share for a pick between them to be about their compositions alone.
_SHARED = {"caption": "captions", "lyrics": "lyrics", "seed": "seeds"}


class VoteError(ChoirmasterError):
    """No pick can be made among these songs, or not yet."""


class NoSuchComparison(VoteError):
    """There is no comparison of this id."""


class Voting:
    """Picks over a service of songs, in the log beside them. Any thread may call.

    ``name_model`` tells the fingerprint of the loaded song model as results tables tell it; it is asked once, with the
    first pick, since reading a large model's files takes a while.
    """

    def __init__(self, songs: Songs, shelf: AdapterStore, name_model: Callable[[], str]) -> None:
        self.songs, self.shelf = songs, shelf
        self.log = FeedbackLog(songs.store.folder / FEEDBACK)
        self._name_model, self._model = name_model, ""
        self._known: dict[str, tuple[object, str, str]] = {}
        self._lock = threading.Lock()

    def vote(self, comparison: str, song_id: str, blind: bool) -> Vote:
        """Write down that a song is the best of its comparison. A later pick of the same comparison is kept beside.

        Raises:
            NoSuchComparison: there is none of this id.
            VoteError: the song is not part of it, not all its songs are done, or they differ in more than adapters.
            RouterError: the pick cannot be written down.
        """
        standings = self.songs.comparison(comparison)
        if not standings:
            raise NoSuchComparison(f"there is no comparison {comparison[:40]!r}: compare compositions first")
        winner = self._check(comparison, standings, song_id)
        losers = [standing for standing in standings if standing is not winner]
        request = winner.request
        try:
            vote = Vote(
                time=datetime.now(UTC),
                comparison=comparison,
                caption=request.get("caption", ""),
                lyrics=request.get("lyrics", ""),
                seed=request["seed"],
                winner=_composition(winner),
                losers=tuple(map(_composition, losers)),
                blind=blind,
                model_fingerprint=self._model_fingerprint(),
                adapters=self._fingerprints(standings),
            )
        except (KeyError, ValidationError) as error:  # as after a change by hand, or where one is there twice
            said = say_first(error) if isinstance(error, ValidationError) else ""
            raise VoteError(
                f"the songs of {comparison} cannot be picked from ({said or 'no seed is known'}): compare anew"
            ) from None
        self.log.append(vote)
        return vote

    def read(self) -> Feedback:
        """All picks so far.

        Raises:
            RouterError: the log cannot be read.
        """
        return self.log.read()

    def of(self, comparison: str) -> list[Vote]:
        """The picks of one comparison so far, in the order they were given; the last is the one that counts.

        Raises:
            RouterError: the log cannot be read.
        """
        return [vote for vote in self.read().votes if vote.comparison == comparison]

    def _check(self, comparison: str, standings: Sequence[Standing], song_id: str) -> Standing:
        """The song picked, where it may be."""
        winner = next((standing for standing in standings if standing.id == song_id), None)
        if winner is None:
            there = ", ".join(standing.id for standing in standings)
            raise VoteError(f"the song {song_id[:40]!r} is not of the comparison {comparison}: pick one of {there}")
        for standing in standings:
            if standing.state != "done":
                remedy = "pick once all are sung" if standing.going else "remove that one, or compare anew"
                raise VoteError(f"the song {standing.id} of this comparison is {standing.state}: {remedy}")
        if len(standings) < 2:
            raise VoteError(f"only the song {song_id} is left of this comparison: compare anew to pick between songs")
        if any(standing.choice.take is not None for standing in standings):
            # Sung one after the other and shown with their word error rates, they would tell of these alone.
            raise VoteError(
                f"{comparison} is a cascade, which has no picks: compare compositions to pick between songs"
            )
        for name, many in _SHARED.items():
            if any(standing.request.get(name) != winner.request.get(name) for standing in standings):
                raise VoteError(f"the songs of {comparison} are of different {many}: pick between songs of one")
        loaded = self.songs.engine.model.name
        sung_by = {str((standing.record or {}).get("model")) for standing in standings} - {loaded}
        if sung_by:
            raise VoteError(
                f"the songs were sung by the model {', '.join(sorted(sung_by))[:80]}, and {loaded} is loaded: compare "
                "anew"
            )
        return winner

    def _model_fingerprint(self) -> str:
        with self._lock:
            self._model = self._model or self._name_model()
            return self._model

    def _fingerprints(self, standings: Sequence[Standing]) -> dict[str, str]:
        """Fingerprints of the files of those adapters that are on the shelf as they were when they sang."""
        sung = dict[str, set[str]]()
        for standing in standings:
            told = (standing.record or {}).get("adapters")
            for name in _composition(standing):
                sung.setdefault(name, set()).add(str(told.get(name)) if isinstance(told, dict) else "")
        found = {}
        for name, weights in sung.items():
            known = self._fingerprint(name)
            if known is not None and weights == {known[0]}:
                found[name] = known[1]
        return found

    def _fingerprint(self, name: str) -> tuple[str, str] | None:
        """Fingerprints of an adapter's weights, as songs tell them, and of its files; None where it cannot be read."""
        try:
            revision = self.shelf.revision(name)
            with self._lock:
                known = self._known.get(name)
            if known is None or known[0] != revision:
                weights = fingerprint_weights(self.shelf.load(name, self.songs.engine.singer.bank.base))
                known = (revision, weights, fingerprint_adapter(self.shelf.folder / name))
                if self.shelf.revision(name) != revision:  # replaced meanwhile
                    return None
                with self._lock:
                    self._known[name] = known
        except (AdapterError, OSError):
            return None
        return known[1], known[2]


def _composition(standing: Standing) -> dict[str, Any]:
    """What a song was sung by, as its record says; whether it can be is found out as part of the vote."""
    found = standing.request.get("composition", {})
    return found if isinstance(found, dict) else {}
