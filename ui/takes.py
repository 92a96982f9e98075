"""How a cascade stands, in plain values: its settings, its takes, and what is stored of it once its server has ended.

Knows nothing of cascades that are going; ``ui.cascades`` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from adapters.field_faults import refuse_booleans
from engine.errors import RequestError
from engine.request import find_faults
from engine.song_query import SongQuery
from engine.songs import SongStore
from router.cascade import BUDGET, MAX_BUDGET, STOP_WER, Wish, run_cascade
from router.decision import Decision
from router.errors import RouterError
from router.prompt import read_prompt
from router.retries import RETRY, Retry, make_wishes
from ui.choices import Choice, TakeOf, read_choice
from ui.stored import number, plain, read_verdict

CascadeState = Literal["going", "done", "failed", "cancelled"]


class CascadeOptions(BaseModel):
    """How a cascade goes on, in the API's words."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    budget: int = Field(default=BUDGET, ge=1, le=MAX_BUDGET, description="Songs to sing at most.")
    stop_wer: float = Field(default=STOP_WER, ge=0, le=1, description="A word error rate that is good enough.")
    retry: Retry = Field(
        default=RETRY,
        description="What another take changes: adapters (the router's next composition, the same noise), seeds (the "
        "router's pick, new noise) or both.",
    )
    together: int = Field(default=1, ge=1, le=MAX_BUDGET, description="Takes that are sung at once.")

    @field_validator("budget", "stop_wer", "together", mode="before")
    @classmethod
    def _numbers_are_no_booleans(cls, value: Any, about: ValidationInfo) -> Any:
        return refuse_booleans(value, whole=about.field_name != "stop_wer")

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> CascadeOptions:
        """From what a person typed, so that "3" is a number.

        Raises:
            RequestError: one sentence per wrong option.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            raise RequestError.of(find_faults(error, cls)) from None


@dataclass(frozen=True)
class TakeStanding:
    """One take: ``song`` is its song's id, None where there never was one, or it was removed; ``name`` its
    composition's name."""

    place: int
    song: str | None
    name: str
    seed: int
    state: str
    wer: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class CascadeStanding:
    """How a cascade stands. ``best`` is the id of a song, ``stopped`` as in ``router.cascade``."""

    id: str
    state: CascadeState
    created: str
    request: dict[str, Any]
    options: dict[str, Any]
    decision: Decision | None
    takes: tuple[TakeStanding, ...]
    best: str | None = None
    stopped: str | None = None
    reason: str | None = None

    @property
    def shown(self) -> str | None:
        """The song to look at: the best, or while it goes on the latest."""
        there = [take.song for take in self.takes if take.song is not None]
        return self.best or (there[-1] if there else None)


def plan_takes(decision: Decision, seed: int, options: CascadeOptions) -> tuple[Wish, ...]:
    """What a cascade of one prompt would try, in order."""
    compositions = {candidate.name: candidate.composition for candidate in decision.candidates}
    compositions.setdefault(decision.name, decision.composition)
    order = decision.order or (decision.name,)
    return make_wishes(order, compositions, seed, options.budget, options.retry)


def read_past(store: SongStore, cascade: str) -> CascadeStanding | None:
    """A cascade of an earlier run of the server, as far as its takes are stored; None where none is."""
    found = store.browse(SongQuery(comparison=cascade), 2 * MAX_BUDGET)
    takes: list[tuple[TakeOf, Choice, dict[str, Any]]] = []
    for record in found:
        choice = read_choice(record)
        if choice.take is not None and choice.take.cascade == cascade:
            takes.append((choice.take, choice, record))
    if not takes:
        return None
    takes.sort(key=lambda one: one[0].place)
    (mark, choice, record), standings = takes[0], tuple(_past_take(mark, record) for mark, _, record in takes)
    # Judged as it was then: the same takes end the same way.
    wers = {take.song: take.wer for take in standings}
    judge = None if all(wer is None for wer in wers.values()) else wers.get
    request = plain(record.get("request"))
    request = request if isinstance(request, dict) else {}
    try:
        ended = run_cascade(
            [Wish(take.name, {}, take.seed) for take in standings],
            lambda wishes: [take.song for take in standings[: len(wishes)]],
            judge,
            budget=mark.budget,
            stop_wer=mark.stop_wer,
            together=len(standings),
            wordless=read_prompt(lyrics=request.get("lyrics", "")).instrumental,
        )
    except RouterError:  # it was changed by hand
        return None
    # With budget left and nothing good enough it was cut off, or takes of it are gone.
    whole = ended.stopped != "budget" or {take.place for take in standings} >= set(range(mark.budget))
    return CascadeStanding(
        cascade,
        "done" if whole else "cancelled",
        str(record.get("created")),
        request,
        {"budget": mark.budget, "stop_wer": mark.stop_wer, "retry": mark.retry},
        choice.decision,
        standings,
        None if ended.best is None else ended.best.song,
        ended.stopped if whole else "cancelled",
        ended.reason if whole else f"Of this cascade {len(standings)} of {mark.budget} takes are stored.",
    )


def _past_take(mark: TakeOf, record: Mapping[str, Any]) -> TakeStanding:
    judged, request = read_verdict(record.get("judged")), record.get("request")
    wer = number(judged["wer"]) if judged["state"] == "judged" else None
    seed = int(number(request.get("seed"))) if isinstance(request, dict) else 0
    return TakeStanding(mark.place, str(record.get("id")), mark.name, seed, "done", wer)
