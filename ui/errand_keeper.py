"""A server's long work of one kind: done one after the other, written down, listed, resumed, removed, and not too much.

Knows no kind of work, which subclasses do; neither HTTP nor HTML.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, Literal, TypeVar

from engine.errors import ChoirmasterError
from engine.hidden_folders import clear_abandoned
from ui.errand_records import HIDDEN, ErrandStanding, Records, burial
from ui.errands import CLOSED, PATIENCE, Errand, Errands

#: Pieces of one kind that may wait for the one that is being done.
MOST_WAITING = 4
#: Pieces of one kind that are kept once they have ended, and as many are listed of which nothing is left. A page
#: of them is long by then, and the songs of evaluations and the routers of refits take room.
MOST_KEPT = 32

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class KeptErrand(Errand):
    """A piece of work with a folder. ``written``: when it was last written down, in seconds since 1970."""

    created: datetime
    folder: Path
    written: float = 0.0


_ERRAND = TypeVar("_ERRAND", bound=KeptErrand)
_STANDING = TypeVar("_STANDING", bound=ErrandStanding)


class ErrandKeeper(ABC, Generic[_ERRAND, _STANDING]):
    """All work of one kind, each piece in a folder of its own in ``folder``. Any thread may call.

    What was under way when a server ended counts as cancelled by the next one.
    """

    def __init__(self, folder: Path, records: Records[_STANDING]) -> None:
        self.folder, self._records = folder, records
        self._errands: Errands[_ERRAND] = Errands(records.called, self._do, self._settle, MOST_WAITING)
        self._lock = threading.Lock()
        clear_abandoned(folder, HIDDEN)
        self._known = {told.id: self._resume(told, place, written) for told, place, written in records.all(folder)}

    def standing(self, errand_id: str) -> _STANDING | None:
        """How one stands; None where there is none of that id."""
        found = self._find(errand_id)
        return None if found is None else self._describe(found)

    def listed(self) -> list[_STANDING]:
        """All of them, those of earlier runs of the server included, the newest first."""
        with self._lock:
            found = sorted(self._known.values(), key=lambda one: one.created, reverse=True)
        return [self._describe(one) for one in found]

    def cancel(self, errand_id: str) -> bool:
        """Stop one that waits or runs; False where there is none of that id."""
        found = self._find(errand_id)
        if found is not None:
            self._errands.stop(found)
        return found is not None

    def remove(self, errand_id: str) -> Literal["cancelled", "removed"] | None:
        """Cancel one that waits or runs, delete one that has ended with its folder; None where there is none.

        Raises:
            ChoirmasterError: it has ended and is in use.
            OSError: its folder cannot be deleted.
        """
        found = self._find(errand_id)
        if found is None:
            return None
        if found.ended:
            if self._bury(found):
                return "removed"
            if self._find(errand_id) is not found:  # somebody else removed it
                return None
        self._errands.stop(found)
        return "cancelled"

    def refuse(self) -> None:
        """Begin no more and stop the one that is being done, without waiting for it."""
        self._errands.refuse()

    def close(self, timeout: float = PATIENCE) -> None:
        """Stop as :meth:`refuse` does, and wait until it has ended, ``timeout`` seconds at the most."""
        self._errands.close(timeout)

    @abstractmethod
    def _do(self, errand: _ERRAND) -> None:
        """Do one; see ``ui.errands.Errands``."""

    @abstractmethod
    def _describe(self, errand: _ERRAND) -> _STANDING:
        """How one stands."""

    @abstractmethod
    def _recall(self, told: _STANDING, folder: Path) -> _ERRAND:
        """What was written down of one, but for its state and error."""

    def _check_free(self, errand: _ERRAND) -> None:
        """Raise a ChoirmasterError where one that has ended must not be removed. The lock is held."""

    def _leaves_nothing(self, errand: _ERRAND) -> bool:
        """Whether nothing is to be left on disk of one as it stands."""
        return False

    def _find(self, errand_id: str) -> _ERRAND | None:
        with self._lock:
            return self._known.get(errand_id)

    def _bury(self, errand: _ERRAND) -> bool:
        """Delete one that has ended; False where it has not, for it was begun again, or is there no more."""
        with burial(errand.folder) as bury, self._lock:  # nobody waits for the lock while files are deleted
            if self._known.get(errand.id) is not errand or not errand.ended:
                return False
            self._check_free(errand)
            bury()
            del self._known[errand.id]
        return True

    def _write(self, errand: _ERRAND) -> None:
        """Write down how one stands, as far as the disk takes it."""
        errand.written = time.time()
        try:
            with self._lock:
                if self._known.get(errand.id) is not errand:  # it was removed meanwhile
                    return
                if not self._leaves_nothing(errand):
                    self._records.write(errand.folder, self._describe(errand))
                    return
            if errand.folder.is_dir():
                with burial(errand.folder) as bury:
                    bury()
        except OSError as error:
            log.warning("the %s %s was not written down: %s", self._errands.called, errand.id, error)

    def _settle(self, errand: _ERRAND) -> None:
        """One has ended: it is written down, and of too many that have those go that ended first.

        Those of which nothing is left are counted apart, for they take no room; and nothing is deleted while a server
        ends, which would be waited for.
        """
        self._write(errand)
        if errand.error == CLOSED:
            return
        with self._lock:
            bare = self._leaves_nothing(errand)
            ended = [one for one in self._known.values() if one.ended and one is not errand]
            others = [one for one in ended if self._leaves_nothing(one) == bare]
        others.sort(key=lambda one: (one.written, one.created))
        for old in others[: max(0, len(others) + 1 - MOST_KEPT)]:
            try:
                self._bury(old)
            except ChoirmasterError:
                continue  # it is in use
            except OSError as error:
                log.warning("the %s %s was not deleted: %s", self._errands.called, old.id, error)

    def _resume(self, told: _STANDING, folder: Path, written: float) -> _ERRAND:
        errand = self._recall(told, folder)
        errand.state, errand.error, errand.written = told.state, told.error, written
        if not errand.ended:
            errand.state, errand.error = "cancelled", CLOSED
        return errand
