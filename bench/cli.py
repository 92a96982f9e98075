"""The ``bench`` verb: speed beside a peer, start and memory of the server; printed and written as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def bench(
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=4, max=24, help="Length of the songs.")] = 16.0,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Songs, or steps, of each side.")] = 7,
    judge: Annotated[str, typer.Option(help="Who listens in the server.")] = "base",
    training: Annotated[bool, typer.Option("--training", help="Time steps of adapter training instead.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON file of the figures; by default outputs/bench.json, or bench-training.json."),
    ] = None,
) -> None:
    """Time songs beside diffusers' own pipeline, and the server's start. On a noisy machine, mind the ratio."""
    if training:
        _bench_training(model, seconds, rounds, out or Path("outputs/bench-training.json"))
    else:
        _bench_singing(model, seconds, rounds, judge, out or Path("outputs/bench.json"))


def _bench_singing(model: str | None, seconds: float, rounds: int, judge: str, out: Path) -> None:
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
        singing = time_singing(load_song_model(model or TINY_MODEL), seconds, rounds)
    write_text_atomically(out, json.dumps({**asdict(serving), **asdict(singing)}, indent=1) + "\n")
    table = Table(box=box.MARKDOWN)
    table.add_column("measured")
    table.add_column("figure", justify="right")
    table.add_row(
        f"{singing.audio_seconds:g} s song, {singing.steps} steps, decoded: median of {rounds}", f"{singing.ours:.2f} s"
    )
    table.add_row("the same by diffusers' pipeline", f"{singing.stock:.2f} s")
    table.add_row("ratio ours / diffusers", f"{singing.ratio:.2f}")
    table.add_row("server: start to ready", f"{serving.ready:.1f} s")
    table.add_row("server: first song asked to sung", f"{serving.first_song:.1f} s")
    table.add_row("server: first song asked to judged", f"{serving.first_verdict:.1f} s")
    memory = "unknown" if serving.peak_memory is None else f"{serving.peak_memory:.0f} MB"
    table.add_row("server: peak memory with judge", memory)
    console.print(table)


def _bench_training(model: str | None, seconds: float, rounds: int, out: Path) -> None:
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
