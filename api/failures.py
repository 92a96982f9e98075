"""Which error is answered how: every one becomes a problem with its status, its sentence and the request's id."""

from __future__ import annotations

import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from adapters.errors import AdapterError, ChoirmasterError
from api.bodies import MAX_TOLD, describe_all
from api.guard import request_id
from api.places import without_paths
from api.problems import Problem, problem_response
from engine.errors import EngineClosed, QueueFull, RequestError, UnknownAdapter
from router.errors import RouterError
from ui.errands import Refused
from ui.evaluations import TableNeeded
from ui.refit_work import RefitError
from ui.routing import RETRY, NoRouter
from ui.sources import SourceError

#: Seconds after which another server, or this one started anew, may take songs.
CLOSED_RETRY = 10


class NothingMore(Exception):
    """The client has seen all the events there are; the answer to it, no content, tells a browser to stop asking."""


def handle_failures(app: FastAPI) -> None:
    """Answer every error of the application's routes as a problem."""
    for kind, handler in (
        (Problem, _problem),
        (HTTPException, _http_error),
        (RequestValidationError, _query_error),
        (ChoirmasterError, _our_error),
        (NothingMore, _nothing_more),
    ):
        app.add_exception_handler(kind, handler)


def as_problem(error: ChoirmasterError) -> Problem:
    """The answer to an error of ours."""
    if isinstance(error, QueueFull):
        return Problem(429, str(error), headers={"Retry-After": str(max(1, math.ceil(error.retry_after)))})
    if isinstance(error, EngineClosed):
        return Problem(503, str(error), headers={"Retry-After": str(CLOSED_RETRY)})
    if isinstance(error, NoRouter):
        if not error.loading:
            return Problem(409, str(error))
        return Problem(503, str(error), headers={"Retry-After": str(RETRY)})
    if isinstance(error, UnknownAdapter):
        return Problem(404, str(error), extra={"adapter": error.name})
    if isinstance(error, Refused):
        return _refusal(error)
    if isinstance(error, SourceError):
        return Problem(404 if error.missing else 409, str(error))
    if isinstance(error, RefitError | TableNeeded):
        return Problem(409, str(error))
    status = 422 if isinstance(error, RequestError | AdapterError | RouterError) else 500
    faults = error.faults if isinstance(error, RequestError) else ()
    told = [{"field": fault.field, "detail": without_paths(fault.message)} for fault in faults[:MAX_TOLD]]
    return Problem(status, str(error), extra={"errors": told} if told else {})


def _refusal(error: Refused) -> Problem:
    if error.closing:
        return Problem(503, str(error), headers={"Retry-After": str(CLOSED_RETRY)})
    if error.retry_after is not None:
        return Problem(429, str(error), headers={"Retry-After": str(error.retry_after)})
    return Problem(409, str(error))


def _answer(request: Request, problem: Problem) -> Response:
    return problem_response(
        problem.status, problem.detail, request_id(request.scope), headers=problem.headers, extra=problem.extra
    )


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, Problem(error.status_code, str(error.detail), headers=dict(error.headers or {})))


async def _query_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _answer(request, Problem(422, describe_all([{**e, "loc": e["loc"][1:]} for e in error.errors()])))


async def _our_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChoirmasterError)
    return _answer(request, as_problem(error))


async def _nothing_more(_: Request, __: Exception) -> Response:
    return Response(status_code=204)
