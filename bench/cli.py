"""The ``bench`` verb: speed beside a peer in the same run; printed as tables and written as JSON.

On a noisy machine, mind the ratios.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.engine_cli import engine
from bench.fitting_cli import fitting
from bench.grid_cli import grid
from bench.load_cli import load
from bench.page_cli import page
from bench.routing_cli import routing

app = typer.Typer(name="bench", add_completion=False, help="Time things beside a peer in the same run.")
app.command("engine")(engine)
app.command("load")(load)
app.command("grid")(grid)
app.command("routing")(routing)
app.command("fitting")(fitting)
app.command("page")(page)

Seconds = Annotated[float, typer.Option(min=4, max=24, help="Length of the songs.")]
Model = Annotated[str | None, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")]


@app.callback(invoke_without_command=True)
def bench(context: typer.Context) -> None:
    """Time songs, training, routing, the engine, the page or a whole server; without a word, songs."""
    if context.invoked_subcommand is None:
        singing()


@app.command("singing")
def singing(
    model: Model = None,
    seconds: Seconds = 16.0,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Songs of each side.")] = 7,
    judge: Annotated[str, typer.Option(help="Who listens in the server.")] = "base",
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench.json"),
) -> None:
    """Time single songs beside diffusers' own pipeline, and a server's start and memory."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from adapters.files import write_text_atomically
    from adapters.places import TINY_MODEL
    from bench.serving import measure_serving
    from bench.singing import time_singing
    from engine.song_model import load_song_model

    console, progress = Console(), Console(stderr=True)
    with progress.status("starting a server"):
        serving = measure_serving(model, judge)
    with progress.status(f"singing {2 * rounds + 2} songs"):
        sung = time_singing(load_song_model(model or TINY_MODEL), seconds, rounds)
    write_text_atomically(out, json.dumps({**asdict(serving), **asdict(sung)}, indent=1) + "\n")
    table = Table(box=box.MARKDOWN)
    table.add_column("measured")
    table.add_column("figure", justify="right")
    table.add_row(
        f"{sung.audio_seconds:g} s song, {sung.steps} steps, decoded: median of {rounds}", f"{sung.ours:.2f} s"
    )
    table.add_row("the same by diffusers' pipeline", f"{sung.stock:.2f} s")
    table.add_row("ratio ours / diffusers", f"{sung.ratio:.2f}")
    table.add_row("server: start to ready", f"{serving.ready:.1f} s")
    table.add_row("server: first song asked to sung", f"{serving.first_song:.1f} s")
    table.add_row("server: first song asked to judged", f"{serving.first_verdict:.1f} s")
    memory = "unknown" if serving.peak_memory is None else f"{serving.peak_memory:.0f} MB"
    table.add_row("server: peak memory with judge", memory)
    console.print(table)


@app.command("training")
def training(
    model: Model = None,
    seconds: Seconds = 16.0,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Steps of each kind.")] = 7,
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench-training.json"),
) -> None:
    """Time steps of adapter training with each sharpness term beside a step without."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from adapters.files import write_text_atomically
    from adapters.places import TINY_MODEL
    from bench.training import PLAIN, TARGET, time_training
    from engine.song_model import load_song_model

    with Console(stderr=True).status(f"training {4 * rounds + 4} steps"):
        found = time_training(load_song_model(model or TINY_MODEL), seconds, rounds)
    write_text_atomically(out, json.dumps(asdict(found), indent=1) + "\n")
    table = Table(box=box.MARKDOWN)
    table.add_column(f"sharpness term ({found.audio_seconds:g} s, {found.tokens} tokens, median of {rounds} steps)")
    for column in ("step", "ratio", "target"):
        table.add_column(column, justify="right")
    table.add_row(PLAIN, f"{found.seconds[PLAIN] * 1000:.0f} ms", "", "")
    for name, ratio in found.ratios.items():
        met = "met" if ratio <= TARGET else "missed"
        table.add_row(name, f"{found.seconds[name] * 1000:.0f} ms", f"{ratio:.2f}", f"≤ {TARGET:g}: {met}")
    Console().print(table)
