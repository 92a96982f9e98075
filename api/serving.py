"""Serving until told to stop: the first signal finishes songs and exports at hand, a second one cuts that short.

Meanwhile the server answers as ever, but takes no more of either, so that whoever waits gets theirs. Long work that can
be gone on with or begun again, evaluations and refits, is stopped at once.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Protocol

import uvicorn
from fastapi import FastAPI

from api.export_jobs import ExportJobs
from ui.errands import PATIENCE
from ui.songs import Songs

#: Seconds that answers under way get once no more songs are being made.
SHUTDOWN_SECONDS = 3
#: Seconds that long work gets to end where the end is cut short.
SHORT = 2.0

log = logging.getLogger(__name__)


class LongWork(Protocol):
    """A service of evaluations or refits."""

    def refuse(self) -> None: ...

    def close(self, timeout: float = PATIENCE) -> None: ...


class DrainingServer(uvicorn.Server):
    """Ends with exit code 0 after a signal, once songs and exports are finished or ``drain`` seconds are over."""

    def __init__(
        self,
        config: uvicorn.Config,
        songs: Songs,
        exports: ExportJobs,
        drain: float,
        works: Sequence[LongWork] = (),
    ) -> None:
        super().__init__(config)
        self.songs, self.exports, self.drain, self.works = songs, exports, drain, works
        self._signals = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Told of a signal. It is not raised again afterwards, as uvicorn's own would be."""
        self._signals += 1
        if self._signals == 1:
            for work in self.works:
                work.refuse()
            self.songs.refuse()
            self.exports.refuse()
            threading.Thread(target=self._finish, name="choirmaster-draining", daemon=True).start()
        elif self._signals == 2:
            threading.Thread(target=self._cut_short, name="choirmaster-closing", daemon=True).start()
        else:
            self.should_exit = self.force_exit = True

    def _finish(self) -> None:
        ends = time.monotonic() + self.drain
        try:
            if not self.songs.drain(self.drain):
                log.warning("not all songs were finished and judged within %g s", self.drain)
            if not self.exports.drain(max(0.0, ends - time.monotonic())):
                log.warning("not all exports were finished within %g s", self.drain)
            self.exports.stop()
            for work in self.works:  # before the songs, that what is being sung of it is kept
                work.close()
            self.songs.close()
        except Exception:
            log.exception("what was at hand was not finished")
        finally:
            self.should_exit = True

    def _cut_short(self) -> None:
        try:
            self.exports.stop()
            self.songs.close()
            for work in self.works:
                work.close(SHORT)
        except Exception:
            log.exception("what was at hand was not ended in order")
        finally:
            self.should_exit = True


def serve_app(
    app: FastAPI,
    songs: Songs,
    exports: ExportJobs,
    opened: socket.socket,
    drain: float,
    works: Sequence[LongWork] = (),
) -> None:
    """Serve on a socket until a signal comes."""
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_SECONDS, server_header=False)
    DrainingServer(config, songs, exports, drain, works).run(sockets=[opened])
