"""Serving until told to stop: the first signal finishes the songs at hand, a second one cuts that short.

While songs are being finished the server answers as ever, but takes no more of them, so that whoever waits gets theirs.
"""

from __future__ import annotations

import logging
import socket
import threading
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ui.songs import Songs

#: Seconds that answers under way get once no more songs are being made.
SHUTDOWN_SECONDS = 3

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """Ends with exit code 0 after a signal, once songs are finished or ``drain`` seconds are over."""

    def __init__(self, config: uvicorn.Config, songs: Songs, drain: float) -> None:
        super().__init__(config)
        self.songs, self.drain = songs, drain
        self._signals = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Told of a signal. It is not raised again afterwards, as uvicorn's own would be."""
        self._signals += 1
        if self._signals == 1:
            self.songs.refuse()
            threading.Thread(target=self._finish, name="choirmaster-draining", daemon=True).start()
        elif self._signals == 2:
            threading.Thread(target=self.songs.close, name="choirmaster-closing", daemon=True).start()
        else:
            self.should_exit = self.force_exit = True

    def _finish(self) -> None:
        try:
            if not self.songs.drain(self.drain):
                log.warning("not all songs were finished and judged within %g s", self.drain)
            self.songs.close()
        except Exception:
            log.exception("the songs at hand were not finished")
        finally:
            self.should_exit = True


def serve_app(app: FastAPI, songs: Songs, opened: socket.socket, drain: float) -> None:
    """Serve on a socket until a signal comes."""
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_SECONDS, server_header=False)
    DrainingServer(config, songs, drain).run(sockets=[opened])
