"""What stands in front of every route: request ids, whom the server answers, and how much it reads of a body.

Plain ASGI, from the outside in: :class:`RequestIds`, :class:`Doorman`, :class:`BodyLimit`. Knows nothing about songs.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, problem_response

#: A request with a plan and durations for the longest song stays far below this.
MAX_JSON = 1 << 20
JSON_SECONDS = 30.0
UPLOAD_SECONDS = 900.0
COOKIE = "choirmaster_key"
#: Answered without a key, so that whoever watches over the server needs none.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """Who is answered. ``hosts``: names of this server beside localhost and addresses, with a port where pages of that
    port may ask it; ``key``: what all must show."""

    hosts: frozenset[str] = frozenset()
    key: str | None = None


def is_host(name: str) -> bool:
    """Whether this can be the name of a host, with or without a port."""
    found = _HOST.fullmatch(name)
    return found is not None and (found[2] is None or 0 < int(found[2]) < 65_536)


def request_id(scope: Scope) -> str:
    """The id of a request, also where no :class:`RequestIds` gave it one."""
    state = scope.setdefault("state", {})
    return str(state.setdefault("request_id", secrets.token_hex(8)))


class RequestIds:
    """Gives every request an id, its own where that can be one, and answers what nobody else caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        if _REQUEST_ID.fullmatch(given):
            scope.setdefault("state", {})["request_id"] = given
        name, started = request_id(scope), False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["x-request-id"] = name
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            log.debug("the client of request %s went away", name)
        except Exception:
            if started:  # the answer is under way and can only be broken off
                raise
            log.exception("request %s failed", name)
            said = f"the server failed: its log has the details under the request id {name}"
            await _answer(Problem(500, said), scope, receive, send_with_id)


class Doorman:
    """Answers only requests to a name of this server, with the key where there is one, and from its own pages.

    Names: a page of another site whose name was made to point here (DNS rebinding) says its own name as the host.
    Pages: a browser tells where a request that changes something comes from.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access
        #: Name and port; none where it is the usual one.
        self._named = {place for name in access.hosts if (place := _place(name)) is not None}
        self._hosts = {"localhost", *(name for name, _ in self._named)}
        self._pass = (
            None if access.key is None else hmac.digest(access.key.encode(), b"choirmaster page", "sha256").hex()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            if self._pass is not None and (page := self._page_without_key(scope)) is not None:
                answer = RedirectResponse(page, 303, {"Cache-Control": "no-store"})
                secure = scope.get("scheme") == "https"
                answer.set_cookie(COOKIE, self._pass, httponly=True, samesite="strict", secure=secure)
                await answer(scope, receive, send)
                return
            self._check_key(scope, headers)
            if scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS:
                self._check_origin(headers)
        except Problem as problem:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            else:
                await _answer(problem, scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        given = headers.getlist("host")
        found = _HOST.fullmatch(given[0]) if len(given) == 1 else None
        if found is None:
            raise Problem(400, "the Host header is missing or no host: ask by the server's name or address")
        name = found[1].lower().rstrip(".")
        if name not in self._hosts and not _is_address(name):
            raise Problem(
                421,
                f"this server does not go by the name {name[:80]}: start it with --allow-host {name[:80]} if it should",
            )

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        if self.access.key is None or scope["path"] in OPEN_PATHS:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        shown = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if shown and _same(shown, self.access.key):
            return
        if self._pass is not None and _same(_cookie(headers), self._pass):
            return
        said = "the API key is wrong" if shown else "an API key is needed"
        raise Problem(
            401,
            f"{said}: send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY', or open the page once with ?key=KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _check_origin(self, headers: Headers) -> None:
        """Refuse what a browser sends for a page of another site; programs that are no browsers say nothing of this."""
        origin = headers.get("origin")
        foreign = headers.get("sec-fetch-site", "").lower() == "cross-site"
        if origin is not None and not foreign:
            here, there = _place(headers.get("host", "")), _place(_netloc(origin))
            foreign = there is None or not (there == here or self._is_named(there, here))
        if foreign:
            raise Problem(
                403, "this came from a page of another site, which may change nothing here: use the server's own"
            )

    def _is_named(self, there: tuple[str, str], here: tuple[str, str] | None) -> bool:
        """Whether a page's place is one of the names: by its usual port, the one asked on, or the one it came with."""
        name, port = there
        asked_on = port == "" or (here is not None and port == here[1])
        return there in self._named or (asked_on and (name, "") in self._named)

    def _page_without_key(self, scope: Scope) -> str | None:
        """Where to go on, for a page that was opened with the right key in its address."""
        assert self.access.key is not None
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].startswith("/v1/"):
            return None
        fields = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "key" and _same(value, self.access.key) for name, value in fields):
            return None
        rest = urlencode([(name, value) for name, value in fields if name != "key"])
        # One slash: two would name another host.
        page = "/" + quote(scope["path"].lstrip("/\\"), safe="/")
        return f"{page}?{rest}" if rest else page


class BodyLimit:
    """Reads no body beyond its limit in bytes and time; ``limit`` tells both from method and path."""

    def __init__(self, app: ASGIApp, limit: Callable[[str, str], tuple[int, float]]) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most, seconds = self.limit(scope["method"], scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared[:20]) > most:
            await _answer(_too_large(most), scope, receive, send)
            return
        refused: Problem | None = None
        started = whole = False
        taken, ends = 0, asyncio.get_running_loop().time() + seconds

        async def receive_within() -> Message:
            nonlocal refused, whole, taken
            if refused is not None:
                raise refused
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(ends):
                    message = await receive()
            except TimeoutError:
                refused = Problem(408, f"the body did not arrive within {seconds:g} s: send it again")
                raise refused from None
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if taken > most:
                refused = _too_large(most)
                raise refused
            return message

        async def send_unless_refused(message: Message) -> None:
            nonlocal started
            if refused is None or started:
                started = True
                await send(message)

        try:
            await self.app(scope, receive_within, send_unless_refused)
        except Exception:
            if refused is None or started:
                raise
        if refused is not None and not started:
            await _answer(refused, scope, receive, send)


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most:,} bytes, which is the limit here: send less")


async def _answer(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem_response(
        problem.status, problem.detail, request_id(scope), headers=problem.headers, extra=problem.extra
    )
    await answer(scope, receive, send)


def _same(shown: str, known: str) -> bool:
    """Compared by digests, in a time that tells neither the content nor the length of either."""
    one, other = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (shown, known))
    return hmac.compare_digest(one, other)


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _netloc(origin: str) -> str:
    """Name and port of an origin as a browser sends it; nothing where it is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:  # such as brackets that hold no address
        return ""
    return parts.netloc if origin.isascii() and parts.scheme in ("http", "https") else ""


def _place(netloc: str) -> tuple[str, str] | None:
    """Name and port, which is empty for the usual ones; None where that is no host."""
    found = _HOST.fullmatch(netloc)
    if found is None:
        return None
    return found[1].lower().rstrip("."), "" if found[2] in (None, "80", "443") else found[2]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
