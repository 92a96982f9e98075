"""Results tables over HTTP: what there is, what it comes to, and the songs of a cell with their sound and maps.

Knows the service ``ui.sources``; statistics are ``eval.summary``'s.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path as FilePath
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.attention_json import AttentionMaps, pack_record
from api.downloads import Download
from api.places import without_paths
from api.problems import Problem
from api.schema import errors
from api.sounds import READINGS
from ui.sources import CellSong, Source, Sources

_BINARY = {"schema": {"type": "string", "format": "binary"}}
#: Seeds as a table may hold them.
_MOST = 2**63 - 1


class SourceShown(BaseModel):
    """A results table. One that cannot be read has a `fault`, and nothing else is known of it."""

    id: str = Field(examples=["shipped"], description="shipped, router, eval, or the id of an evaluation.")
    title: str
    judges: list[str] = Field(description="Who listened; the first one is meant unless another is named.")
    compositions: list[str]
    genres: list[str]
    prompts: int
    seeds: int = Field(description="Songs of one prompt and composition, at most.")
    songs: int = Field(description="Songs in all.")
    model: str | None = Field(description="Name of the song model that sang.")
    made: str | None = Field(description="When, in UTC.")
    fault: str | None


class EvidenceList(BaseModel):
    """All results tables there are."""

    sources: list[SourceShown]


class EvidenceSummary(BaseModel):
    """What one judge's songs say. Rates are fractions of words, below 1 but where words were added."""

    source: SourceShown
    judge: str
    resamples: int = Field(description="Bootstrap resamples behind the 95 % intervals.")
    summary: dict[str, Any] = Field(
        description="Everything the report shows: extent, words (a standing per composition), characters, comparisons "
        "with the reference, genres, wins, oracle, subsets, factorial (two by two), stability, breakdowns (what goes "
        "wrong). An estimate has value, low and high; the ends are null where there are too few prompts."
    )


class CellSongs(BaseModel):
    """The songs of one genre by one composition."""

    songs: list[CellSong]


SourceId = Annotated[str, Path(min_length=1, max_length=64, description="Id of a results table.", examples=["shipped"])]
Judge = Annotated[str, Query(max_length=200, description="A judge of the table, in full; by default its first.")]
Prompt = Annotated[str, Query(min_length=1, max_length=200, description="Id of the prompt, as cells tell it.")]
Seed = Annotated[int, Query(ge=0, le=_MOST)]
Composition = Annotated[str, Query(min_length=1, max_length=1200, description="As the table names it.")]


def evidence_routes(sources: Sources, aligned: frozenset[tuple[int, int]]) -> APIRouter:
    """The routes of results tables. ``aligned``: layer and head of those of the loaded model that follow the words, for
    tables that do not name those of their own."""
    router = APIRouter(tags=["evidence"])
    readings = CapacityLimiter(READINGS)

    @router.get("/v1/evidence", summary="List results tables", responses=errors())
    def browse() -> EvidenceList:
        """Tables that came with the model, that were sung here, and of evaluations, the newest of these first."""
        return EvidenceList(sources=[show_source(source) for source in sources.listed()])

    @router.get("/v1/evidence/{source}", summary="Sum up a results table", responses=errors(404, 409, 422))
    def summary(source: SourceId, judge: Judge = "") -> EvidenceSummary:
        """Answers 409 where the table is damaged, or where no song was sung by all of its compositions."""
        found = sources.summary(source, judge)
        return EvidenceSummary(
            source=show_source(sources.source(source)),
            judge=found.judge,
            resamples=found.resamples,
            summary=asdict(found),
        )

    @router.get("/v1/evidence/{source}/cells", summary="List the songs of a cell", responses=errors(404, 409, 422))
    def cell(
        source: SourceId,
        genre: Annotated[str, Query(min_length=1, max_length=200)],
        composition: Composition,
        judge: Judge = "",
    ) -> CellSongs:
        """`request` of each is a body for POST /v1/songs that sings it again."""
        return CellSongs(songs=sources.cell(source, judge, genre, composition))

    @router.head("/v1/evidence/{source}/audio", include_in_schema=False)
    @router.get(
        "/v1/evidence/{source}/audio",
        summary="Hear a song of a results table",
        response_class=Response,
        responses={
            200: {"description": "The sound.", "content": {"audio/flac": _BINARY}},
            206: {"description": "The part asked for.", "content": {"audio/flac": _BINARY}},
            **errors(404, 409, 416, 422),
        },
    )
    def listen(source: SourceId, prompt: Prompt, seed: Seed, composition: Composition) -> Response:
        """Answers 404 where the sound was not kept: sing the song again."""
        path = sources.audio(source, prompt, seed, composition)
        if path is None:
            raise _not_kept("sound", "was")
        return Download(path, f"choirmaster-{source}-{seed}.flac", "audio/flac", inline=True)

    @router.head("/v1/evidence/{source}/attention", include_in_schema=False)
    @router.get(
        "/v1/evidence/{source}/attention",
        summary="Fetch attention maps of a song of a results table",
        response_model=AttentionMaps,
        responses=errors(404, 409, 422),
    )
    async def maps(
        request: Request, source: SourceId, prompt: Prompt, seed: Seed, composition: Composition
    ) -> Response:
        """As GET /v1/songs/ID/attention tells them as JSON. Answers 404 where they were not kept."""

        def read() -> bytes:
            record = sources.attention(source, prompt, seed, composition)
            if record is None:
                raise _not_kept("attention maps", "were")
            return (
                AttentionMaps(**pack_record(record, _followers(sources.source(source), aligned)))
                .model_dump_json()
                .encode()
            )

        content = await to_thread.run_sync(read, limiter=readings)
        body = b"" if request.method == "HEAD" else content
        return Response(body, headers={"Content-Length": str(len(content))}, media_type="application/json")

    return router


def _followers(source: Source, aligned: frozenset[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """The heads that follow the words in the songs of a table, which another model may have sung."""
    told = source.about.get("alignment_heads")
    pairs = told if isinstance(told, list) else []
    found = {tuple(pair) for pair in pairs if isinstance(pair, list) and list(map(type, pair)) == [int, int]}
    return frozenset((layer, head) for layer, head in found) or aligned


def show_source(source: Source) -> SourceShown:
    """A table as it is told: without folders of this machine."""
    model = source.about.get("model")
    made = source.about.get("made")
    return SourceShown(
        id=source.id,
        title=source.title,
        judges=list(source.judges),
        compositions=list(source.compositions),
        genres=list(source.genres),
        prompts=source.prompts,
        seeds=source.seeds,
        songs=source.songs,
        model=FilePath(model).name if isinstance(model, str) else None,
        made=made if isinstance(made, str) else None,
        fault=None if source.fault is None else without_paths(source.fault),
    )


def _not_kept(what: str, verb: str) -> Problem:
    said = f"the {what} of this song {verb} not kept"
    return Problem(404, f"{said}: sing it again with the request that its cell lists")
