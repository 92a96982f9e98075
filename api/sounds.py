"""What is left of a song that is done, as files: its sound in four formats, its attention maps, its words in time."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.attention_json import AttentionMaps, pack_record
from api.attention_png import NothingToDraw, draw_record
from api.downloads import Download
from api.problems import Problem
from api.schema import errors
from api.songs import SongId, no_song
from engine.attention_maps import RecordError, load_record
from engine.errors import SongError
from engine.karaoke import Karaoke
from engine.transcoding import transcoded
from ui.songs import Songs
from ui.standings import Standing

#: Songs made into other formats at once; who waits for that holds up nobody else.
TRANSCODINGS = 4
#: Maps read and drawn at once: each may take some hundred megabytes for a moment.
READINGS = 2
CONTENT_TYPES = {"flac": "audio/flac", "wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def sound_routes(songs: Songs) -> APIRouter:
    """The routes of the files of songs."""
    router = APIRouter(tags=["songs"])
    transcodings, readings = CapacityLimiter(TRANSCODINGS), CapacityLimiter(READINGS)

    def need(song_id: str, found: Path | None, what: str, missing: str) -> Path:
        """The file, or an answer that says why there is none."""
        if found is not None:
            return found
        standing = songs.standing(song_id)
        if standing is None:
            raise no_song(song_id)
        if standing.state == "done":
            raise Problem(404, f"the song {song_id} has no {what}: {missing}")
        raise Problem(409, _not_done(standing, what))

    @router.head("/v1/songs/{song_id}/audio", include_in_schema=False)
    @router.get(
        "/v1/songs/{song_id}/audio",
        summary="Hear a song",
        response_class=Response,
        responses={
            200: {"description": "The sound.", "content": dict.fromkeys(CONTENT_TYPES.values(), _BINARY)},
            206: {"description": "The part asked for.", "content": dict.fromkeys(CONTENT_TYPES.values(), _BINARY)},
            **errors(404, 409, 416, 422),
        },
    )
    async def listen(song_id: SongId, format: Literal["flac", "wav", "mp3", "ogg"] = "flac") -> Response:
        """flac as it is stored, or made into another format; parts of it by a Range header."""
        sound = await run_in_threadpool(lambda: need(song_id, songs.sound(song_id), "sound", "it was removed"))
        try:
            path = sound
            if format != "flac":
                path = await to_thread.run_sync(transcoded, sound, format, limiter=transcodings)
        except SongError:
            if sound.is_file():
                raise
            raise no_song(song_id) from None  # removed meanwhile
        return Download(path, f"choirmaster-{song_id}.{format}", CONTENT_TYPES[format], inline=True)

    @router.head("/v1/songs/{song_id}/attention", include_in_schema=False)
    @router.get(
        "/v1/songs/{song_id}/attention",
        summary="Fetch attention maps",
        response_class=Response,
        responses={
            200: {
                "description": "The maps, as numpy's npz, as JSON with packed numbers, or as a picture.",
                "model": AttentionMaps,
                "content": {"application/zip": _BINARY, "image/png": _BINARY},
            },
            206: {"description": "The part asked for.", "content": {"application/zip": _BINARY}},
            **errors(404, 409, 416, 422),
        },
    )
    async def maps(
        request: Request,
        song_id: SongId,
        format: Annotated[
            Literal["npz", "json", "png"],
            Query(description="npz as it is stored, json to be drawn by a page, png drawn already."),
        ] = "npz",
    ) -> Response:
        """Which lyric token each moment of the song looked at, head by head."""
        missing = 'ask for one with "attention": {}'
        path = await run_in_threadpool(lambda: need(song_id, songs.attention(song_id), "attention maps", missing))
        if format == "npz":
            return Download(path, f"choirmaster-{song_id}.npz", "application/zip")
        make = _as_json if format == "json" else _as_picture
        try:
            content = await to_thread.run_sync(make, path, songs.engine.model.aligned_heads, limiter=readings)
        except FileNotFoundError:
            raise no_song(song_id) from None  # removed meanwhile
        except RecordError:
            said = f"the attention maps of the song {song_id} were changed on the disk and cannot be read"
            raise Problem(409, f"{said}: sing it again") from None
        except NothingToDraw as error:
            raise Problem(404, f"the song {song_id} has no picture: {error}") from None
        headers = {"Content-Length": str(len(content))}
        kind = "application/json" if format == "json" else "image/png"
        return Response(b"" if request.method == "HEAD" else content, headers=headers, media_type=kind)

    @router.get(
        "/v1/songs/{song_id}/karaoke",
        summary="Fetch words in time",
        response_model=None,
        responses={
            200: {
                "description": "Lines and words with their times, as JSON or LRC.",
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Karaoke"}},
                    "text/plain": {"schema": {"type": "string"}},
                },
            },
            **errors(404, 409, 422),
        },
    )
    def karaoke(
        song_id: SongId,
        format: Annotated[
            Literal["json", "lrc", "enhanced-lrc"], Query(description="lrc times lines, enhanced-lrc words too.")
        ] = "json",
    ) -> Any:
        """When each line and word is sung, in seconds, read off the heads that follow the words."""
        standing = songs.standing(song_id)
        if standing is None:
            raise no_song(song_id)
        stored = (standing.record or {}).get("karaoke")
        if stored is None:
            if standing.state == "done":
                raise Problem(
                    404, f"the song {song_id} has no words in time: it has no words, or kept no attention maps"
                )
            raise Problem(409, _not_done(standing, "words in time"))
        try:
            found = Karaoke.model_validate(stored)
        except ValidationError:
            said = f"the words in time of the song {song_id} were changed on the disk and cannot be read"
            raise Problem(409, f"{said}: sing it again") from None
        if format == "json":
            return found
        if not found.lines:
            raise Problem(404, f"the song {song_id} has no words in time: {found.reason or 'it has no words'}")
        return PlainTextResponse(found.to_lrc() if format == "lrc" else found.to_enhanced_lrc())

    return router


def _as_json(path: Path, alignment_heads: Collection[tuple[int, int]]) -> bytes:
    return json.dumps(pack_record(load_record(path.read_bytes()), alignment_heads)).encode()


def _as_picture(path: Path, alignment_heads: Collection[tuple[int, int]]) -> bytes:
    return draw_record(load_record(path.read_bytes()), alignment_heads)


def _not_done(standing: Standing, what: str) -> str:
    """Why a song has no sound, maps or words in time, and whether they can still come."""
    if standing.state == "failed":
        return f"the song {standing.id} failed and has no {what}: sing it again"
    if standing.state == "cancelled":
        return f"the song {standing.id} was cancelled and has no {what}: sing it again"
    return f"the song {standing.id} is {standing.state} and has no {what}: ask for it once it is done"
