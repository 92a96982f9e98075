"""Serving until told to stop: the first signal finishes songs and exports at hand, a second one cuts that short.

Meanwhile the server answers as ever, but takes no more of either, so that whoever waits gets theirs.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.export_jobs import ExportJobs
from ui.songs import Songs

#: Seconds that answers under way get once no more songs are being made.
SHUTDOWN_SECONDS = 3

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """Ends with exit code 0 after a signal, once songs and exports are finished or ``drain`` seconds are over."""

    def __init__(self, config: uvicorn.Config, songs: Songs, exports: ExportJobs, drain: float) -> None:
        super().__init__(config)
        self.songs, self.exports, self.drain = songs, exports, drain
        self._signals = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Told of a signal. It is not raised again afterwards, as uvicorn's own would be."""
        self._signals += 1
        if self._signals == 1:
            self.songs.refuse()
            self.exports.refuse()
            threading.Thread(target=self._finish, name="choirmaster-draining", daemon=True).start()
        elif self._signals == 2:
            threading.Thread(target=self._close, name="choirmaster-closing", daemon=True).start()
        else:
            self.should_exit = self.force_exit = True

    def _finish(self) -> None:
        ends = time.monotonic() + self.drain
        try:
            if not self.songs.drain(self.drain):
                log.warning("not all songs were finished and judged within %g s", self.drain)
            if not self.exports.drain(max(0.0, ends - time.monotonic())):
                log.warning("not all exports were finished within %g s", self.drain)
            self._close()
        except Exception:
            log.exception("what was at hand was not finished")
        finally:
            self.should_exit = True

    def _close(self) -> None:
        self.exports.stop()
        self.songs.close()


def serve_app(app: FastAPI, songs: Songs, exports: ExportJobs, opened: socket.socket, drain: float) -> None:
    """Serve on a socket until a signal comes."""
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_SECONDS, server_header=False)
    DrainingServer(config, songs, exports, drain).run(sockets=[opened])
