"""What the API answers, as models: they make the documentation, and an answer that does not fit them is an error."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from router.cascade import Stop
from router.decision import Candidate, Neighbour, Why
from ui.routing import RoutingState
from ui.takes import CascadeState

SongState = Literal["queued", "singing", "decoding", "done", "failed", "cancelled"]


class FieldFault(BaseModel):
    """What is wrong with one field, in a sentence."""

    field: str = Field(examples=["duration"])
    detail: str = Field(examples=["0 is too short: choose 0.5 to 600 seconds"])


class Problem(BaseModel):
    """An error (RFC 9457). ``detail`` is one sentence that names the value, the limit and the remedy."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no song '0123456789abcdef': GET /v1/songs lists those there are"])
    request_id: str = Field(examples=["9f86d081884c7d65"], description="Also in X-Request-ID, and in the server's log.")
    errors: list[FieldFault] | None = Field(default=None, description="By field, where a field is to blame.")


class Links(BaseModel):
    """Where the parts of a song are."""

    model_config = ConfigDict(populate_by_name=True)

    own: str = Field(alias="self", examples=["/v1/songs/0123456789abcdef"])
    events: str
    audio: str
    attention: str
    karaoke: str


class Verdict(BaseModel):
    """What the judge heard. Rates, counts and words are there where ``state`` is ``judged``."""

    model_config = ConfigDict(extra="allow")

    state: str = Field(
        examples=["judged"], description="waiting, judged, wordless (an instrumental), unavailable or failed"
    )
    reason: str | None = Field(default=None, description="Why there is no judgement, where there is none.")
    judge: str | None = None
    transcript: str | None = None
    wer: float | None = Field(default=None, examples=[0.25], description="Word errors per word of the lyrics.")


class Chosen(BaseModel):
    """What a router decided for a prompt. ``wer``: predicted word error rate, with 80 % of unseen prompts between
    ``low`` and ``high``."""

    name: str = Field(examples=["lyrics=1"], description="The composition, as in tables.")
    composition: dict[str, float]
    wer: float
    low: float
    high: float
    default: str = Field(description="What is sung where no gain can be trusted.")
    policy: str
    abstained: bool = Field(description="Whether the default was taken for want of a credible gain.")
    why: Why
    reason: str = Field(description="One sentence for a person.")


class Decision(Chosen):
    """All of a decision: every candidate, best predicted first, and the nearest prompts that were measured."""

    candidates: list[Candidate]
    neighbours: list[Neighbour]
    distance: float = Field(description="1 - cosine to the nearest fitted prompt.")
    known_share: float = Field(description="Share of fitted prompts that are farther from their nearest; near 0: new.")
    order: list[str] = Field(description="In which order a cascade tries.")
    notes: list[str]


class TakeOf(BaseModel):
    """Which take of which cascade a song is; ``place`` counts from 0."""

    cascade: str = Field(examples=["fedcba9876543210"])
    place: int


class Song(BaseModel):
    """One song: what was asked for, how far it is, and what became of it."""

    id: str = Field(examples=["0123456789abcdef"])
    state: SongState
    request: dict[str, Any] = Field(description="As it was asked for, with the seed that was drawn.")
    step: int = Field(description="Denoising steps done.")
    steps: int
    place: int = Field(description="Its place among the songs that wait, from 1; 0 where it does not wait.")
    created: str | None = Field(
        default=None,
        examples=["2026-03-01T12:00:00+00:00"],
        description="When it was asked for, and once it is done when it was stored.",
    )
    comparison: str | None = Field(default=None, description="The comparison or cascade it is part of.")
    decision: Chosen | None = Field(default=None, description="Why it is sung as it is, where the router was asked.")
    take: TakeOf | None = None
    error: str | None = Field(default=None, description="Why it failed or was cancelled.")
    judged: Verdict | None = None
    record: dict[str, Any] | None = Field(default=None, description="All that is stored with a song that is done.")
    links: Links


class SongList(BaseModel):
    """A part of the list of songs, newest first; ``total`` counts all that the filters leave."""

    songs: list[Song]
    total: int
    limit: int
    offset: int


class Removal(BaseModel):
    """What became of a song that was to be removed; ``cancelling``: it ends with its next step; ``failed``: it had."""

    id: str
    state: Literal["cancelled", "cancelling", "failed", "deleted"]
    kept_for: float | None = Field(
        default=None,
        examples=[600.0],
        description="Of one that is deleted: seconds for which it can be brought back; 0 where it is gone for good.",
    )


class ComparedSong(Song):
    """A song beside others, and how to play them equally loud."""

    loudness: float | None = Field(
        default=None,
        examples=[-18.4],
        description="Integrated loudness in LUFS (ITU-R BS.1770); null where it is not done, silent, or under 0.4 s.",
    )
    gain: float | None = Field(
        default=None,
        le=0,
        examples=[-3.2],
        description="Decibels that make it as loud as the quietest of them; null where it has no loudness.",
    )


class Comparison(BaseModel):
    """Songs of one prompt and one noise by several compositions, in the order they were asked for."""

    id: str = Field(examples=["fedcba9876543210"])
    songs: list[ComparedSong]


class Take(BaseModel):
    """One take of a cascade."""

    place: int
    song: str | None = Field(description="The id of its song; null where it could not even be queued, or was removed.")
    name: str = Field(examples=["lyrics=1"], description="The composition it is sung with.")
    seed: int
    state: SongState | Literal["judging", "removed"]
    wer: float | None = Field(description="As the judge heard it.")
    error: str | None


class Cascade(BaseModel):
    """Takes of one prompt, in the order they were tried. ``state``: going, done, cancelled, or failed (no song)."""

    id: str = Field(examples=["fedcba9876543210"])
    state: CascadeState
    created: str
    request: dict[str, Any] = Field(description="As it was asked for, with the seed of the first take.")
    options: dict[str, Any] = Field(description="budget, stop_wer, retry, and together where it is known.")
    decision: Decision | None
    takes: list[Take]
    best: str | None = Field(description="The id of the best take's song, once it has ended.")
    stopped: Stop | None = Field(description="Why it ended.")
    reason: str | None = Field(description="Why it ended and which take is the best, in a sentence.")


class Preset(BaseModel):
    """How a variant of the song model is sampled unless a request says otherwise."""

    name: str
    steps: int
    shift: float
    guidance: float
    rule: str
    max_seconds: float


class Presets(BaseModel):
    """What the loaded model is and takes. ``limits``: of a request's fields, as in the schema of ``SongRequest``."""

    model: str
    preset: str = Field(description="The one of the loaded model.")
    presets: list[Preset]
    max_seconds: float
    planned: bool = Field(description="Whether songs follow a plan of notes.")
    alignment_heads: list[tuple[int, int]] = Field(description="Layer and head of those that follow the words.")
    limits: dict[str, dict[str, float]]


class Judge(BaseModel):
    name: str | None
    state: str
    reason: str | None


class RouterState(BaseModel):
    state: RoutingState
    reason: str | None
    used: str | None = Field(
        default=None, description="Id of the refit that took the place of the server's own router; null: none did."
    )


class Health(BaseModel):
    """The server is alive; whether it takes songs now is told by /readyz."""

    status: Literal["ok"]
    instance: str = Field(examples=["0123456789abcdef"], description="Another one for every run of the server.")
    model: str
    queued: int
    running: int
    judge: Judge
    router: RouterState


class Readiness(BaseModel):
    status: Literal["ready"]
    queued: int
    limit: int = Field(description="Songs that may wait.")
