"""Problems under the status 200, for clients that prefer them so.

A browser writes every answer of 400 and more into its console as an error, also where a form asked only to be told what
is wrong with it. The page's own requests say ``Prefer: problems-as-200`` (a preference as of RFC 7240) and read the
status out of the problem, where RFC 9457 repeats it. Whoever does not ask for it sees no difference.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import CONTENT_TYPE

PREFERENCE = "problems-as-200"


class QuietProblems:
    """To be the outermost, so that what counts requests sees what they were really answered with."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_preferred(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return

        async def send_quietly(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").partition(";")[0] == CONTENT_TYPE:
                    headers["preference-applied"] = PREFERENCE
                    message = {**message, "status": 200}
            await send(message)

        await self.app(scope, receive, send_quietly)


def _is_preferred(headers: Headers) -> bool:
    wanted = ",".join(headers.getlist("prefer")).split(",")
    return any(one.partition(";")[0].strip().lower() == PREFERENCE for one in wanted)
