"""Exports over HTTP: a composition of adapters as a file for another tool, made in the background and then fetched.

Knows how exports are asked for and shown; ``api.export_jobs`` makes and keeps them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.bodies import read_json
from api.downloads import Download
from api.export_checks import read_export
from api.export_jobs import ExportJobs
from api.export_records import ExportEstimate, ExportRequest, ExportShown
from api.problems import Problem
from api.schema import errors
from api.shelf_faults import disk_problem

_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where the export is found."}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {"application/zip": _BINARY, "application/octet-stream": _BINARY}
_EXAMPLES = {
    "blend": {"value": {"composition": {"lyrics": 0.6, "nolyrics": 0.4}, "format": "comfyui"}},
    "small": {"value": {"composition": "lyrics=0.6,nolyrics=0.4", "format": "peft", "rank": 8}},
    "model": {"value": {"composition": "lyrics", "format": "full-diffusers", "dtype": "bf16", "shard_size": "2GB"}},
}


class ExportList(BaseModel):
    """All exports, the newest first."""

    exports: list[ExportShown]


class ExportRemoved(BaseModel):
    """An export that is there no more: it was made, or had failed (`removed`), or was not yet done (`cancelled`)."""

    id: str = Field(examples=["9f86d081884c7d65"])
    state: Literal["cancelled", "removed"]


ExportId = Annotated[str, Path(description="Id of an export: 16 hexadecimal digits.", examples=["9f86d081884c7d65"])]


def export_routes(jobs: ExportJobs) -> APIRouter:
    """The routes of exports."""
    router = APIRouter(tags=["exports"])

    @router.post(
        "/v1/exports",
        status_code=202,
        summary="Ask for an export",
        openapi_extra=_body_document(),
        responses={
            202: {"description": "The export is queued.", "headers": _LOCATION},
            **errors(404, 415, 422, 429, 503, changing=True),
        },
    )
    async def ask(request: Request, response: Response) -> ExportShown:
        """A composition that names an adapter that is not there is answered with 404."""
        asked = read_export(await read_json(request))
        shown = await run_in_threadpool(jobs.submit, asked)
        response.headers["Location"] = f"/v1/exports/{shown.id}"
        return shown

    @router.post(
        "/v1/exports/estimate",
        summary="Ask how large an export would be",
        openapi_extra=_body_document(),
        responses=errors(404, 415, 422, 507, changing=True),
    )
    async def estimate(request: Request) -> ExportEstimate:
        """Takes what asking for the export takes, and makes nothing. Only headers of files are read."""
        asked = read_export(await read_json(request))
        return await run_in_threadpool(jobs.estimate, asked)

    @router.get("/v1/exports", summary="List exports", responses=errors())
    def browse() -> ExportList:
        """Those that wait, run, have failed since the server started, or are done and kept."""
        return ExportList(exports=jobs.listed())

    @router.get("/v1/exports/{export_id}", summary="Show an export", responses=errors(404, 422))
    def show(export_id: ExportId) -> ExportShown:
        return found(export_id)

    @router.head("/v1/exports/{export_id}/file", include_in_schema=False)
    @router.get(
        "/v1/exports/{export_id}/file",
        summary="Fetch an export's file",
        response_class=Response,
        responses={
            200: {"description": "The file; several are in one uncompressed ZIP.", "content": _FILES},
            206: {"description": "The part of it that Range asks for.", "content": _FILES},
            **errors(404, 409, 416, 422),
        },
    )
    def fetch(export_id: ExportId) -> Download:
        """Takes Range, so that a download can be resumed."""
        shown = found(export_id)
        if shown.file is None:
            remedy = f": {shown.error}" if shown.error else ": ask again once it is done"
            raise Problem(409, f"the export {export_id} is {shown.state} and has no file{remedy}")
        path = jobs.file(shown)
        if not path.is_file():
            raise Problem(404, f"the file of the export {export_id} was removed from the disk: ask for it anew")
        kind = "application/zip" if path.suffix == ".zip" else "application/octet-stream"
        return Download(path, shown.file.name, kind)

    @router.delete(
        "/v1/exports/{export_id}",
        summary="Cancel or remove an export",
        responses=errors(404, 422, 507, changing=True),
    )
    def remove(export_id: ExportId) -> ExportRemoved:
        """Cancels an export that waits or runs, removes one that has ended; it is listed no more either way."""
        try:
            state = jobs.remove(export_id)
        except OSError as error:
            raise disk_problem(error) from error
        if state is None:
            raise _no_export(export_id)
        return ExportRemoved(id=export_id, state=state)

    def found(export_id: str) -> ExportShown:
        shown = jobs.shown(export_id)
        if shown is None:
            raise _no_export(export_id)
        return shown

    return router


def _no_export(export_id: str) -> Problem:
    return Problem(404, f"there is no export {export_id[:40]!r}: GET /v1/exports lists those there are")


def _body_document() -> dict[str, Any]:
    schema = ExportRequest.model_json_schema()
    content = {"application/json": {"schema": schema, "examples": _EXAMPLES}}
    return {"requestBody": {"required": True, "content": content}}
