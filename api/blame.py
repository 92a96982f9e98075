"""Which field of a request is to blame, told beside an error's sentence. Knows no route and no field."""

from __future__ import annotations

from api.problems import Problem

#: Answers that a field can be to blame for; the others are the server's own affair.
_BLAMED = frozenset({404, 409, 413, 415, 422})


def blame(problem: Problem, *fields: str) -> Problem:
    """The problem, with its sentence told of these fields too; one that no field is to blame for stays as it is."""
    if problem.status in _BLAMED:
        problem.extra["errors"] = [{"field": field, "detail": problem.detail} for field in fields]
    return problem
