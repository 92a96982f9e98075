"""The application's own routes, asked from within its process: what clients of the page call is answered by them.

So a call of ``gradio_client`` or of an MCP tool is checked, answered and refused in exactly the API's words, and with
whatever key its caller showed. Knows how a route is asked and a problem told; what there is to ask is in docs/api.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import gradio as gr
import httpx
from starlette.types import ASGIApp

#: What programs call: a function of the request it came with, and of what was given.
Call = Callable[..., Awaitable[dict[str, Any]]]
#: What a caller showed of themselves, which the routes see too.
_SHOWN = ("authorization", "x-api-key", "cookie", "x-request-id")
_NAME = re.compile(r"[A-Za-z0-9-]{1,80}")


class Refusal(gr.Error):
    """What a caller is told where there is no answer: one sentence, also where Gradio hides errors from others."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, print_exception=False)

    def __str__(self) -> str:
        return str(self.message)


class OwnRoutes:
    """Asks the routes of an application that may not be complete yet; it must be once it is asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    async def get(self, caller: gr.Request, path: str, **query: Any) -> dict[str, Any]:
        """The answer to ``GET``; of ``query`` what is not None is asked for.

        Raises:
            Refusal: the route's own sentence.
        """
        return await self._ask(caller, "GET", path, query)

    async def post(
        self, caller: gr.Request, path: str, body: Mapping[str, Any] | None = None, **query: Any
    ) -> dict[str, Any]:
        """The answer to ``POST`` of those fields that are not None; raises as :meth:`get` does."""
        given = {name: value for name, value in (body or {}).items() if value is not None}
        return await self._ask(caller, "POST", path, query, json.dumps(given))

    async def delete(self, caller: gr.Request, path: str) -> dict[str, Any]:
        """The answer to ``DELETE``; raises as :meth:`get` does."""
        return await self._ask(caller, "DELETE", path, {})

    async def _ask(
        self, caller: gr.Request, method: str, path: str, query: Mapping[str, Any], body: str | None = None
    ) -> dict[str, Any]:
        headers = {name: value for name in _SHOWN if (value := caller.headers.get(name)) is not None}
        if body is not None:
            headers["content-type"] = "application/json"
        asked = {name: value for name, value in query.items() if value is not None}
        # A song may take its time, and the engine keeps count of it.
        async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost", timeout=None) as client:
            answer = await client.request(method, path, params=asked, headers=headers, content=body)
        if answer.is_error:
            raise Refusal(_sentence(answer))
        if answer.headers.get("content-type", "").startswith("application/json"):
            found = answer.json()
            return found if isinstance(found, dict) else {"found": found}
        return {"text": answer.text}


def place(*parts: str) -> str:
    """The path of parts under ``/v1``, of which every second is what a caller gave: an id or a name.

    Raises:
        Refusal: one of those cannot be one, and might be another path.
    """
    for kind, given in zip(parts[::2], parts[1::2], strict=False):
        if not isinstance(given, str) or not _NAME.fullmatch(given):
            raise Refusal(f"{str(given)[:40]!r} is no id or name of {kind}: give one that {kind} lists")
    return "/v1/" + "/".join(parts)


def _sentence(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code}: its log may say why"
