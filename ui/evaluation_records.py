"""What is asked of a small evaluation, how it stands, and how that is written down in its folder.

Knows no engine and no judge.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ui.errand_records import ErrandStanding, Records
from ui.errands import ErrandState

#: Failures of songs that are told one by one.
MOST_TOLD = 20


class EvaluationRequest(BaseModel):
    """What to sing and judge: of each of the first ``genres`` genres one prompt, from ``seeds`` seeds, by each
    composition."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compositions: tuple[str, ...] = Field(
        min_length=1,
        max_length=8,
        description="Each a text such as base, lyrics or lyrics=0.6,nolyrics=0.4; all sing the same words from the "
        "same noise.",
        examples=[["base", "lyrics"]],
    )
    prompts: Literal["test", "router"] = Field(
        default="test",
        description="Which prompts: those of the test, which nothing may be fitted to, or those that a router is "
        "fitted to.",
    )
    genres: int = Field(default=6, ge=1, le=30, strict=True, description="How many genres, a prompt of each.")
    seeds: int = Field(default=1, ge=1, le=4, strict=True, description="Songs of each prompt and composition.")


class CellFailure(BaseModel):
    """A song that could not be sung or heard, and why. It is in no table; the same request tries it again."""

    model_config = ConfigDict(frozen=True)

    prompt: str
    seed: int
    composition: str
    reason: str


class EvaluationStanding(ErrandStanding):
    """How an evaluation stands. Songs count whichever run of it sang them."""

    id: str = Field(description="16 hexadecimal digits; also the id of its table under /v1/evidence.")
    state: ErrandState = Field(
        description="`cancelled` also where the server was stopped: the same request goes on from there."
    )
    request: EvaluationRequest
    sung: int = Field(default=0, description="Songs sung so far.")
    heard: int = Field(default=0, description="Songs judged so far; these are in its table once it has ended.")
    total: int = Field(description="Songs that were asked for.")
    seconds_left: float | None = Field(
        default=None, description="Estimated from the songs of this run; null before the first of them is judged."
    )
    failed: int = Field(default=0, description="Songs that could not be sung or heard.")
    failures: tuple[CellFailure, ...] = Field(default=(), description=f"The first {MOST_TOLD} of those.")


#: What an evaluation's folder says of it, beside what the grid of its songs says.
RECORDS = Records("evaluation", "evaluation.json", EvaluationStanding, frozenset({"seconds_left", "place"}))
