"""What is asked of a small evaluation, how it stands, and how that is written down in its folder.

Knows no engine and no judge.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.files import write_text_atomically
from ui.errands import ErrandState

#: What an evaluation's folder says of it, beside what the grid of its songs says.
RECORD = "evaluation.json"
#: Failures of songs that are told one by one.
MOST_TOLD = 20

log = logging.getLogger(__name__)


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


class EvaluationStanding(BaseModel):
    """How an evaluation stands. Songs count whichever run of it sang them."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="16 hexadecimal digits; also the id of its table under /v1/evidence.")
    state: ErrandState = Field(
        description="`cancelled` also where the server was stopped: the same request goes on from there."
    )
    request: EvaluationRequest
    created: datetime = Field(description="When it was first asked for.")
    sung: int = Field(default=0, description="Songs sung so far.")
    heard: int = Field(default=0, description="Songs judged so far; these are in its table once it has ended.")
    total: int = Field(description="Songs that were asked for.")
    error: str | None = Field(default=None, description="Why it ended before its time.")
    seconds_left: float | None = Field(
        default=None, description="Estimated from the songs of this run; null before the first of them is judged."
    )
    failed: int = Field(default=0, description="Songs that could not be sung or heard.")
    failures: tuple[CellFailure, ...] = Field(default=(), description=f"The first {MOST_TOLD} of those.")
    place: int = Field(default=0, description="Place among those that wait, from 1; 0 where it does not wait.")


def read_record(folder: Path) -> EvaluationStanding | None:
    """What the folder of an evaluation says of it; None where it says nothing that can be read."""
    try:
        return EvaluationStanding.model_validate_json((folder / RECORD).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("the evaluation in %s is left out: its %s cannot be read (%s)", folder, RECORD, error)
        return None


def write_record(folder: Path, standing: EvaluationStanding) -> None:
    """Write it down.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    write_text_atomically(folder / RECORD, standing.model_dump_json(exclude={"seconds_left", "place"}, indent=1) + "\n")
