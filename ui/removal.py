"""Songs that nobody wants any more, in whatever state they are, and those that somebody wants back.

Knows the engine, the jobs that are listed, and who keeps songs with their verdicts; neither HTTP nor HTML.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.engine import ENDED, Engine
from engine.errors import SongError
from engine.songs import SONG_ID
from ui.judging import Judging
from ui.live import LiveJobs

#: Seconds a deletion waits for the song being sung to reach its next step.
CANCEL_PATIENCE = 2.0

log = logging.getLogger(__name__)


class Removal:
    """Removes and restores the songs of one server. ``changed`` is called where the list of songs has changed."""

    def __init__(self, engine: Engine, judging: Judging, live: LiveJobs, changed: Callable[[], None]) -> None:
        self._engine, self._judging, self._live, self._changed = engine, judging, live, changed

    def remove(self, song_id: str, for_good: bool = False) -> str | None:
        """As :meth:`ui.songs.Songs.remove`."""
        if not SONG_ID.fullmatch(song_id):
            return None
        job = self._engine.job(song_id)
        if job is not None and job.state in ("failed", "cancelled"):
            self._live.forget(song_id)
            self._changed()
            return job.state
        late = job is not None and job.state not in ENDED
        if job is not None and late:
            self._live.mark(song_id, unwanted=True)
            self._engine.cancel(job)
            if not job.wait(CANCEL_PATIENCE):
                return "cancelling"
            if job.state != "done":
                return job.state
        self._live.mark(song_id, unwanted=False)
        # One that was done before the cancellation reached it has been heard by nobody, and may be deleted by now.
        return "deleted" if self._judging.remove(song_id, for_good or late) or late else None

    def restore(self, song_id: str) -> bool:
        """As :meth:`ui.songs.Songs.restore`."""
        return bool(SONG_ID.fullmatch(song_id)) and self._judging.restore(song_id)

    def delete_unwanted(self, song_id: str) -> bool:
        """Delete a song whose cancellation came after its last step, which nobody has heard; False where it cannot be
        deleted, so that it is one like all others."""
        try:
            self._judging.remove(song_id, for_good=True)
        except SongError as error:
            log.warning("the cancelled song %s stays: %s", song_id, error)
            return False
        return True
