"""What is asked of a refit, how it stands, what it found, and how that is written down in its folder.

Knows what a fitted router tells of itself; not how it is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from router.report.parts import find_router, list_parts
from router.report.sentences import say_headline
from router.router_file import RouterFile
from ui.errand_records import ErrandStanding, Records

#: The router in a refit's folder.
ROUTER = "router.json"


class RefitRequest(BaseModel):
    """Which results table to fit a router to, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    source: str = Field(
        min_length=1, max_length=64, description="Id of a table under /v1/evidence.", examples=["router"]
    )
    judge: str = Field(
        default="",
        max_length=200,
        description="Judge to fit by, as the table names it or the beginning of that; by default its first.",
    )
    feedback_weight: float = Field(
        default=0.0,
        ge=0,
        le=10,
        strict=True,
        description="What a pick of people weighs: at 1 a quarter of a pair of songs, at 0 nothing.",
    )
    confidence: float = Field(
        default=0.8,
        ge=0.5,
        lt=1,
        strict=True,
        description="Chance of a gain from which the best single composition is left.",
    )


class Interval(BaseModel):
    """A figure and its 95 % interval, without ends where there are too few prompts for one."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None = None
    high: float | None = None


class RefitFindings(BaseModel):
    """What a fit came to, on genres that were left out of it."""

    model_config = ConfigDict(frozen=True)

    default: str = Field(description="The best single composition, taken where no gain is sure enough.")
    policy: str = Field(description="How it chooses.")
    judge: str = Field(description="Who it was fitted by.")
    scored_by: str | None = Field(description="Who `gain` is scored by: another judge, where one listened.")
    signal: bool = Field(description="Whether choosing by prompt is shown to pay; else the default is always taken.")
    prompts: int
    genres: int
    compositions: tuple[str, ...] = Field(description="Those it may choose.")
    gain: Interval | None = Field(
        description="Word error rate of the best single composition less the router's; above zero is better."
    )
    sentences: tuple[str, ...] = Field(description="The same and more, in words.")
    notes: tuple[str, ...] = Field(default=(), description="What should be known of the table and the fit.")
    seconds: float = Field(description="How long it took.")


class RefitStanding(ErrandStanding):
    """How a refit stands."""

    request: RefitRequest
    stage: str = Field(default="", description="What is being done, in words.")
    done: int = Field(default=0, description="Genres left out so far.")
    total: int = Field(default=0, description="Genres to leave out; 0 before they are known.")
    findings: RefitFindings | None = None
    report: str | None = Field(default=None, description="Where its report is, once it is done.")
    used: bool = Field(default=False, description="Whether the server routes by it.")


#: What a refit's folder says of it.
RECORDS = Records("refit", "refit.json", RefitStanding, frozenset({"used", "place", "report"}))


def summarise_router(file: RouterFile, notes: Sequence[str], seconds: float) -> RefitFindings:
    """What a fitted router says of itself, in short."""
    found = file.findings
    part = list_parts([found])[0]
    router = None if part.main is None else find_router(part.main)
    sentences = (say_headline(part), found.signal, found.blending)
    return RefitFindings(
        default=file.default,
        policy=file.policy.name,
        judge=file.judge,
        scored_by=None if part.main is None else part.main.judge,
        signal=file.signal,
        prompts=found.prompts,
        genres=found.genres,
        compositions=file.compositions,
        gain=None if router is None else Interval(value=router.gain.value, low=router.gain.low, high=router.gain.high),
        sentences=tuple(filter(None, sentences)),
        notes=tuple(notes),
        seconds=round(seconds, 1),
    )
