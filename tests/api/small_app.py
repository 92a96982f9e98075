"""A small application over some routes, whose errors are answered as the server answers them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.testclient import TestClient
from starlette.types import ASGIApp

from api.failures import handle_failures
from api.guard import RequestIds
from api.schema import Api


def small_app(*routers: APIRouter) -> ASGIApp:
    app = Api()
    handle_failures(app)
    for router in routers:
        app.include_router(router)
    return RequestIds(app)


class Watching(TestClient):
    """A client that fails where an answer holds a folder of the server, or looks like a traceback."""

    def __init__(self, app: ASGIApp, *secret: Path) -> None:
        super().__init__(app)
        self._secret = {str(form) for path in secret for form in (path, path.resolve())}

    def request(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().request(*args, **kwargs)
        if answer.headers["content-type"].startswith(("application/json", "application/problem+json", "text/")):
            told = answer.text + str(dict(answer.headers))
            assert not [secret for secret in self._secret if secret in told], told
            assert (
                "Traceback" not in told and "site-packages" not in told and not re.search(r"\.(upload|export)-", told)
            ), told
        return answer


def problem(answer: Any, status: int) -> str:
    """The sentence of a problem that has this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status and found["title"] and found["request_id"] == answer.headers["x-request-id"]
    return str(found["detail"])
