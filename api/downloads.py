"""Files to fetch, whole or in ranges, whose errors are problems like all others."""

from __future__ import annotations

from pathlib import Path

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from api.problems import Problem


class Download(FileResponse):
    """A file called ``name``, to be stored or, ``inline``, to be shown or heard in place."""

    def __init__(self, path: Path, name: str, media_type: str, inline: bool = False) -> None:
        kind = "inline" if inline else "attachment"
        super().__init__(path, media_type=media_type, filename=name, content_disposition_type=kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_no_plain_error(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                raise Problem(400, "the Range header cannot be read: ask for bytes, like bytes=0-1023")
            if message["type"] == "http.response.start" and message["status"] == 416:
                held = dict(message["headers"]).get(b"content-range", b"bytes */*").decode("latin-1")
                size = held.rpartition("/")[2]
                raise Problem(
                    416,
                    f"the range lies outside of the file, which has {size} bytes: ask for less",
                    headers={"Content-Range": held},
                )
            await send(message)

        await super().__call__(scope, receive, send_no_plain_error)
