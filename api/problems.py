"""Errors over HTTP: ``application/problem+json`` (RFC 9457) with the request's id, never a path or a traceback."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from api.places import without_paths

MAX_DETAIL = 600
CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """Answer a request with an error: one sentence that names the value, the limit and the remedy.

    Raise it from a route; ``extra`` are further members of the answer.
    """

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers, self.extra = headers or {}, extra or {}


def problem_response(
    status: int,
    detail: str,
    request_id: str,
    *,
    headers: dict[str, str] | None = None,
    extra: dict[str, Any] | None = None,
) -> JSONResponse:
    """A problem as an answer; lone surrogates, which JSON can carry and UTF-8 cannot, are written out."""
    from http import HTTPStatus

    plain = without_paths(detail).encode("utf-8", "backslashreplace").decode()
    shown = plain if len(plain) <= MAX_DETAIL else plain[: MAX_DETAIL - 1] + "…"
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": shown,
        "request_id": request_id,
        **(extra or {}),
    }
    return JSONResponse(body, status, headers, media_type=CONTENT_TYPE)
