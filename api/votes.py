"""Picks over HTTP: the best song of a comparison. Knows the service ``ui.voting``, and not what becomes of picks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api.bodies import read_fields, read_json
from api.problems import Problem
from api.schema import errors
from api.shelf_faults import disk_problem
from router.errors import RouterError
from router.feedback import Vote
from ui.voting import NoSuchComparison, VoteError, Voting

_HINT = 'send an object such as {"song": "0123456789abcdef", "blind": true}'


class VoteRequest(BaseModel):
    """Which song is the best of its comparison."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"examples": [{"song": "0123456789abcdef", "blind": True}]},
    )

    song: str = Field(pattern="^[0-9a-f]{8,32}$", description="Id of the song picked.")
    blind: bool = Field(default=False, description="Whether nothing told which song was sung by what.")


class VoteList(BaseModel):
    """A part of the list of picks, newest first; ``total`` counts them all."""

    votes: list[Vote]
    total: int
    limit: int
    offset: int
    unreadable: list[int] = Field(description="Lines of the log that are no picks, numbered from 1.")


def vote_routes(voting: Voting) -> APIRouter:
    """The routes of picks."""
    router = APIRouter(tags=["comparisons"])

    @router.post(
        "/v1/compare/{comparison}/vote",
        status_code=201,
        summary="Pick the best song of a comparison",
        response_model=Vote,
        openapi_extra=_body_document(),
        responses={
            201: {"description": "The pick is written down."},
            **errors(404, 409, 415, 422, 507, changing=True),
        },
    )
    async def vote(
        request: Request,
        comparison: Annotated[str, Path(description="8 to 32 hexadecimal digits.", examples=["fedcba9876543210"])],
    ) -> Any:
        """All songs of it must be done. A later pick of the same comparison is kept beside, and stands for both."""
        asked = read_fields(VoteRequest, await read_json(request), "a pick", _HINT, f": {_HINT}")
        try:
            return await run_in_threadpool(voting.vote, comparison, asked.song, asked.blind)
        except NoSuchComparison as error:
            raise Problem(404, str(error)) from error
        except VoteError as error:
            raise Problem(409, str(error)) from error
        except RouterError as error:
            raise _log_problem(error) from error

    @router.get("/v1/votes", summary="List picks", response_model=VoteList, responses=errors(422))
    def browse(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        comparison: Annotated[
            str | None, Query(min_length=1, max_length=64, description="Only those of this one.")
        ] = None,
    ) -> Any:
        """All there are, also those that a later pick of the same comparison stands for, newest first."""
        try:
            found = voting.read()
        except RouterError as error:  # no fault of who asks
            raise Problem(500, str(error)) from error
        votes = [vote for vote in found.votes[::-1] if comparison in (None, vote.comparison)]
        return {
            "votes": votes[offset : offset + limit],
            "total": len(votes),
            "limit": limit,
            "offset": offset,
            "unreadable": list(found.unreadable),
        }

    return router


def _log_problem(error: RouterError) -> Problem:
    """The answer where the log does not take a pick."""
    if isinstance(error.__cause__, OSError):
        return disk_problem(error.__cause__)
    return Problem(507, str(error))


def _body_document() -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": VoteRequest.model_json_schema()}}}
    }
