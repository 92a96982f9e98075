"""``python server.py``: the HTTP API and the browser pages over one engine.

Knows the command line and what is put together from it. HTTP itself is ``api``, the service ``ui.songs``.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from adapters.errors import ChoirmasterError
from adapters.places import SHELF, TINY_MODEL

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.export_jobs import ExportJobs
    from api.guard import Access
    from api.serving import LongWork
    from ui.songs import Songs


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


def read_access(key: str | None, hosts: list[str]) -> Access:
    """Who is answered, by the options.

    Raises:
        ChoirmasterError: the key is too short to be one, or cannot stand in a header; a host is no name.
    """
    from api.guard import Access, is_host

    if key is not None and not (8 <= len(key) <= 256 and key.isascii() and key.isprintable() and " " not in key):
        raise ChoirmasterError("the API key must be 8 to 256 printable ASCII characters without spaces: choose another")
    for host in hosts:
        if not is_host(host):
            raise ChoirmasterError(
                f"{host[:80]!r} is no name of a host: give --allow-host one such as sing.example.org, or "
                "sing.example.org:8443 where pages of another port may ask"
            )
    return Access(frozenset(hosts), key)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 7860,
    model: Annotated[str, typer.Option(help="Folder or hub id of a song model.")] = str(TINY_MODEL),
    shelf: Annotated[Path, typer.Option(help="Folder of adapters.")] = SHELF,
    outputs: Annotated[Path, typer.Option(help="Folder of the songs.")] = Path("outputs"),
    judge: Annotated[str, typer.Option(help="Who listens: base, none, or any Whisper by name or folder.")] = "base",
    router: Annotated[
        Path | None, typer.Option(help="Fitted router; by default router.json in the model's folder, if it is there.")
    ] = None,
    no_router: Annotated[bool, typer.Option("--no-router", help="Use no router.")] = False,
    device: Annotated[str, typer.Option(help="Device of the song model, such as cpu or cuda.")] = "cpu",
    dtype: Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="Of the song model; bf16 on a GPU.")] = "fp32",
    api_key: Annotated[
        str | None,
        typer.Option(envvar="CHOIRMASTER_API_KEY", help="Key that all must show; safer in the variable than here."),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name the server goes by, NAME or NAME:PORT; repeatable.")
    ] = None,
    drain: Annotated[float, typer.Option(min=0, max=86_400, help="Seconds to finish what is at hand in.")] = 30,
    max_queue: Annotated[int, typer.Option(min=1, max=100_000, help="Songs that may wait.")] = 256,
    max_songs: Annotated[int, typer.Option(min=1, max=1024, help="Songs being sung at once.")] = 16,
    token_budget: Annotated[
        int, typer.Option(min=1, help="Latent frames times rows in one pass; less where memory is short.")
    ] = 24_000,
    song_timeout: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds that singing a song may take.")] = 600,
) -> None:
    """Serve the HTTP API and the browser pages over one engine."""
    from rich.console import Console
    from rich.table import Table

    if router is not None and (no_router or not router.is_file()):
        said = "--router and --no-router contradict each other" if no_router else f"there is no router {router}"
        raise ChoirmasterError(f"{said}: give a file that choirmaster fit wrote, or --no-router")
    access = read_access(api_key, allow_host or [])
    console = Console(highlight=False)
    with open_port(host, port) as opened:
        name, number = opened.getsockname()[:2]
        with console.status("loading the song model"):
            from transformers.utils import logging as transformers_logging

            from adapters.exporting import DTYPES
            from adapters.fingerprints import fingerprint_model
            from adapters.store import AdapterStore
            from api.app import build_app
            from api.export_jobs import ExportJobs
            from engine.engine import Engine
            from engine.request import SongRequest
            from engine.settings import EngineSettings
            from engine.song_model import load_song_model
            from engine.songs import SongStore
            from eval.judge import Judge
            from ui.evaluations import Evaluations
            from ui.listening import Listener
            from ui.refits import Refits
            from ui.routing import Routing, open_routing
            from ui.songs import Songs
            from ui.sources import Sources
            from ui.voting import Voting

            transformers_logging.disable_progress_bar()
            store = SongStore(outputs.resolve())
            loaded = load_song_model(model, device=device, dtype=DTYPES[dtype])
            listener = Listener(None if judge == "none" else Judge(judge))
            adapters = AdapterStore(shelf)
            routing = Routing() if no_router else open_routing(router, adapters, model)
            settings = EngineSettings(
                max_queue=max_queue, max_songs=max_songs, token_budget=token_budget, song_timeout=song_timeout
            )
            songs = Songs(Engine(loaded, store, adapters, settings), store, listener, routing)
            songs.preview(
                SongRequest(caption="pop", lyrics="hello")
            )  # reads the dictionary before anybody waits for it
            exports = ExportJobs(store.folder / "exports", adapters, model)
            voting = Voting(songs, adapters, lambda: fingerprint_model(Path(model)))
            sources = Sources(songs, Path(model))
            evaluations = Evaluations(songs, adapters, Path(model))
            refits = Refits(songs, sources, adapters, Path(model))
            evaluations.needed = refits.tables
            app = build_app(
                songs,
                access=access,
                shelf=adapters,
                exports=exports,
                voting=voting,
                sources=sources,
                evaluations=evaluations,
                refits=refits,
            )
        table = Table.grid(padding=(0, 2))
        shown_host = "localhost" if name in ("127.0.0.1", "0.0.0.0", "::", "::1") else name
        table.add_row("[bold]page[/]", f"[bold cyan]http://{shown_host}:{number}/[/]")
        table.add_row("api", f"http://{shown_host}:{number}/v1/songs")
        table.add_row("model", f"{loaded.name} on {device}, {dtype}")
        table.add_row("songs", str(outputs.resolve()))
        table.add_row("judge", "none" if judge == "none" else f"Whisper {judge}, loading in the background")
        table.add_row("router", routing.title)
        if access.key is not None:
            table.add_row("key", "needed; open the page once with ?key=KEY")
        console.print(table)
        _run(app, songs, exports, opened, drain, (evaluations, refits))


def _run(
    app: FastAPI, songs: Songs, exports: ExportJobs, opened: socket.socket, drain: float, works: Sequence[LongWork]
) -> None:
    from api.serving import serve_app

    serve_app(app, songs, exports, opened, drain, works)


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
