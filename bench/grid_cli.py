"""``choirmaster bench grid``: a grid of songs sung and judged at once, beside doing so in turn."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def grid(
    prompts: Annotated[int, typer.Option(min=1, max=120, help="Prompts, each by base and every adapter.")] = 6,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Rounds of both ways, after one to warm up.")] = 3,
    judge: Annotated[str, typer.Option(help="Who listens.")] = "base",
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench-grid.json"),
) -> None:
    """Time an evaluation beside one that sings a song, judges it, and sings the next."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from adapters.files import write_text_atomically
    from bench.grid import AT_ONCE, IN_TURN, PHASES, TARGET, time_grid

    with Console(stderr=True).status("loading") as status:
        found = time_grid(prompts, rounds, judge, status.update)
    write_text_atomically(out, json.dumps(asdict(found), indent=1) + "\n")
    table = Table(box=box.MARKDOWN)
    table.add_column(f"{found.songs} songs, judge {found.judge}, {found.cores} cores, median of {found.rounds} rounds")
    for name in ("songs a minute", "at once to this", "target"):
        table.add_column(name, justify="right")
    for way in (IN_TURN, PHASES):
        spread = f"{found.ratio(way):.2f} ({min(found.ratios[way]):.2f}–{max(found.ratios[way]):.2f})"
        met = f"≥ {TARGET:g}: {'met' if found.ratio(way) >= TARGET else 'missed'}" if way == IN_TURN else ""
        table.add_row(f"sung and judged {way}", f"{found.per_minute[way]:.1f}", spread, met)
    table.add_row(f"sung and judged {AT_ONCE}", f"{found.per_minute[AT_ONCE]:.1f}", "", "")
    Console().print(table)
