"""The HTTP API and the browser pages over one engine; ``python server.py`` starts both.

Knows how songs are asked for over HTTP and nothing about how they are sung, judged or shown: those are ``ui.songs``,
``engine`` and ``ui.page``. Every error is answered as ``{"error": "one sentence"}``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from adapters.places import SHELF, TINY_MODEL
from engine.errors import ChoirmasterError, RequestError, SongError

if TYPE_CHECKING:
    from ui.songs import Songs

#: A request with a plan and durations for the longest song stays far below this.
MAX_BODY = 1 << 20
BODY_SECONDS = 30.0
SHUTDOWN_SECONDS = 3
MAX_ERROR = 600
CONTENT_TYPES = {"flac": "audio/flac", "wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
STATUS_OF = {"done": 200, "failed": 500, "cancelled": 409}

log = logging.getLogger(__name__)


def build_app(songs: Songs, pages: bool = True) -> FastAPI:
    """The application over a service of songs, which it starts and closes with itself."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        songs.listener.start()
        try:
            yield
        finally:
            await asyncio.to_thread(songs.close)

    # The interactive documentation would load its scripts from elsewhere.
    app = FastAPI(title="Choirmaster", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json", lifespan=lifespan)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _query_error)
    app.add_exception_handler(ChoirmasterError, _our_error)
    app.add_exception_handler(Exception, _unexpected_error)
    app.include_router(_routes(songs))
    if pages:
        from ui.page import mount

        mount(app, songs)
    return app


def _routes(songs: Songs) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    def health() -> JSONResponse:
        engine = songs.engine
        shown = {
            "status": "ok" if engine.alive else "failing",
            "model": engine.model.name,
            "engine_alive": engine.alive,
            "queued": engine.queued,
            "judge": songs.listener.describe(),
        }
        return JSONResponse(shown, 200 if engine.alive else 503)

    @router.post("/v1/songs", status_code=202, openapi_extra=_request_schema())
    async def ask(request: Request, wait: bool = False) -> JSONResponse:
        from engine.request import read_request

        fields = await _read_fields(request)
        try:
            job = await asyncio.to_thread(lambda: songs.submit(read_request(fields)))
        except SongError as error:  # full or closing
            return _error(503, str(error), {"Retry-After": "10"})
        while wait and not job.wait(0):
            await asyncio.sleep(0.02)
        standing = await asyncio.to_thread(songs.standing, job.id)
        if standing is None:
            return _gone(job.id)
        code = STATUS_OF.get(standing.state, 202) if wait else 202
        return JSONResponse(standing.as_json(), code, {"Location": f"/v1/songs/{job.id}"})

    @router.get("/v1/songs")
    def browse(limit: Annotated[int, Query(ge=1, le=100)] = 20, offset: Annotated[int, Query(ge=0)] = 0) -> Any:
        found = songs.listed(limit, offset)
        return JSONResponse({"songs": [s.as_json() for s in found], "limit": limit, "offset": offset})

    @router.get("/v1/songs/{song_id}")
    def show(song_id: str) -> JSONResponse:
        standing = songs.standing(song_id)
        return _gone(song_id) if standing is None else JSONResponse(standing.as_json())

    @router.get("/v1/songs/{song_id}/audio")
    def listen(song_id: str, format: Literal["flac", "wav", "mp3", "ogg"] = "flac") -> Response:
        sound = songs.sound(song_id)
        if sound is None:
            standing = songs.standing(song_id)
            if standing is None:
                return _gone(song_id)
            return _error(409, f"the song {song_id} is {standing.state} and has no sound: ask for it once it is done")
        name = f"choirmaster-{song_id}.{format}"
        if format == "flac":
            return FileResponse(
                sound, media_type=CONTENT_TYPES[format], filename=name, content_disposition_type="inline"
            )
        import soundfile

        from engine.songs import audio_bytes

        audio, rate = soundfile.read(sound, dtype="float32", always_2d=True)
        disposition = {"Content-Disposition": f'inline; filename="{name}"'}
        return Response(audio_bytes(audio.T, rate, format), media_type=CONTENT_TYPES[format], headers=disposition)

    @router.delete("/v1/songs/{song_id}")
    def remove(song_id: str) -> JSONResponse:
        outcome = songs.remove(song_id)
        return _gone(song_id) if outcome is None else JSONResponse({"id": song_id, "state": outcome})

    # Else the pages, mounted at the root, would answer in their own way.
    @router.api_route("/v1/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    def nowhere(request: Request) -> JSONResponse:
        path = request.url.path[:100]
        return _error(404, f"there is no {request.method} {path}: /v1/openapi.json lists what there is")

    return router


def _request_schema() -> dict[str, Any]:
    from engine.request import SongRequest

    # With an address of its own, the schema's inner references stay inside it.
    schema = {"$id": "/v1/song-request", **SongRequest.model_json_schema()}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def _read_fields(request: Request) -> dict[str, Any]:
    """The JSON object in a body, which is never read beyond its limit in bytes and time."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which also keeps other sites' forms out
        raise HTTPException(
            415, f"the body is {kind[:60] or 'of no type'}: send JSON with Content-Type: application/json"
        )
    too_large = HTTPException(413, f"the body is larger than {MAX_BODY:,} bytes: a song request needs far less")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {BODY_SECONDS:g} s: send it again") from None
    try:
        fields = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        hint = 'send an object such as {"caption": "folk", "lyrics": "hello there"}'
        raise HTTPException(400, f"the body is no JSON ({str(error)[:80]}): {hint}") from None
    if not isinstance(fields, dict):
        raise RequestError("the body must be a JSON object with the fields of a song, not a list, text or number")
    return fields


def _error(code: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """One clear sentence; lone surrogates, which JSON can carry and UTF-8 cannot, are written out."""
    plain = message.encode("utf-8", "backslashreplace").decode()
    short = plain if len(plain) <= MAX_ERROR else plain[: MAX_ERROR - 1] + "…"
    return JSONResponse({"error": short}, code, headers)


def _gone(song_id: str) -> JSONResponse:
    return _error(404, f"there is no song {song_id[:40]!r}: GET /v1/songs lists those there are")


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, str(error.detail))


async def _query_error(_: Request, error: Exception) -> Response:
    from engine.request import describe

    assert isinstance(error, RequestValidationError)
    said = [describe({**e, "loc": e["loc"][1:]}) for e in error.errors()]
    return _error(422, "; ".join(said))


async def _our_error(_: Request, error: Exception) -> Response:
    return _error(422 if isinstance(error, RequestError) else 500, str(error))


async def _unexpected_error(_: Request, error: Exception) -> Response:
    return _error(500, f"the server failed ({type(error).__name__}): its log has the details")


def open_port(host: str, port: int) -> socket.socket:
    """A socket bound to the port, before anything slow is loaded.

    Raises:
        ChoirmasterError: the port is taken, or the address is not this machine's.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, proto)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
        except OSError:
            opened.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ChoirmasterError(
            f"cannot serve on {host} port {port} ({reason}): choose another port with --port, or another address of "
            "this machine with --host"
        ) from error
    return opened


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 7860,
    model: Annotated[str, typer.Option(help="Folder or hub id of a song model.")] = str(TINY_MODEL),
    shelf: Annotated[Path, typer.Option(help="Folder of adapters.")] = SHELF,
    outputs: Annotated[Path, typer.Option(help="Folder of the songs.")] = Path("outputs"),
    judge: Annotated[str, typer.Option(help="Who listens: base, none, or any Whisper by name or folder.")] = "base",
    device: Annotated[str, typer.Option(help="Device of the song model, such as cpu or cuda.")] = "cpu",
) -> None:
    """Serve the HTTP API and the browser pages over one engine."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    with open_port(host, port) as opened:
        name, number = opened.getsockname()[:2]
        with console.status("loading the song model"):
            from transformers.utils import logging as transformers_logging

            from adapters.store import AdapterStore
            from engine.engine import Engine
            from engine.song_model import load_song_model
            from engine.songs import SongStore
            from eval.judge import Judge
            from ui.listening import Listener
            from ui.songs import Songs

            transformers_logging.disable_progress_bar()
            store = SongStore(outputs)
            loaded = load_song_model(model, device=device)
            listener = Listener(None if judge == "none" else Judge(judge))
            app = build_app(Songs(Engine(loaded, store, AdapterStore(shelf)), store, listener))
        table = Table.grid(padding=(0, 2))
        shown_host = "localhost" if name in ("127.0.0.1", "0.0.0.0", "::", "::1") else name
        table.add_row("[bold]page[/]", f"[bold cyan]http://{shown_host}:{number}/[/]")
        table.add_row("api", f"http://{shown_host}:{number}/v1/songs")
        table.add_row("model", f"{loaded.name} on {device}")
        table.add_row("songs", str(outputs.resolve()))
        table.add_row("judge", "none" if judge == "none" else f"Whisper {judge}, loading in the background")
        console.print(table)
        _run(app, opened)


def _run(app: FastAPI, opened: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_SECONDS)
    uvicorn.Server(config).run(sockets=[opened])


def main() -> None:
    """Serve with the options of the command line; exits with 2 and one line for an error of ours."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(serve)
    try:
        app()
    except ChoirmasterError as error:
        print("server:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
