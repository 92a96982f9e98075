"""Files to fetch, whole or in ranges, whose errors are problems like all others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from anyio import to_thread
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from api.problems import Problem


class Download(FileResponse):
    """A file called ``name``, to be stored or, ``inline``, to be shown or heard in place."""

    def __init__(self, path: Path, name: str, media_type: str, inline: bool = False) -> None:
        kind = "inline" if inline else "attachment"
        super().__init__(path, media_type=media_type, filename=name, content_disposition_type=kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        begun = False

        async def send_no_plain_error(message: Message) -> None:
            nonlocal start, begun
            if message["type"] == "http.response.start":
                self._check(message)
                start = message  # not sent before the file is open: until then it may go
                return
            if start is not None:
                await send(start)
                start, begun = None, True
            await send(message)

        try:
            found = await to_thread.run_sync(os.stat, self.path)
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError
            self.stat_result = found
            self.set_stat_headers(found)
            await super().__call__(scope, receive, send_no_plain_error)
        except (FileNotFoundError, NotADirectoryError):
            if begun:
                raise
            raise Problem(404, "the file is there no more: it was removed while it was asked for") from None

    def _check(self, message: Message) -> None:
        """Tell as a problem what would be told as plain text."""
        if message["status"] == 400:
            raise Problem(400, "the Range header cannot be read: ask for bytes, like bytes=0-1023")
        if message["status"] == 416:
            held = dict(message["headers"]).get(b"content-range", b"bytes */*").decode("latin-1")
            size = held.rpartition("/")[2]
            raise Problem(
                416,
                f"the range lies outside of the file, which has {size} bytes: ask for less",
                headers={"Content-Range": held},
            )
