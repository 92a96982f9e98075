"""``choirmaster bench page``: how soon the page is painted and usable."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def page(
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of a song model; the embedded one if none.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Visits of each page, after one to warm up.")] = 5,
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench-page.json"),
) -> None:
    """Time the page's first paint in Chromium beside a bare page of Gradio."""
    from rich import box
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from adapters.files import write_text_atomically
    from bench.page import BARE, OURS, TARGET, time_page

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("visiting", total=rounds + 1)
        found = time_page(rounds, model, lambda: progress.advance(task))
    write_text_atomically(out, json.dumps(asdict(found), indent=1) + "\n")
    table = Table(box=box.MARKDOWN)
    table.add_column(f"a visit by a browser that keeps nothing, median of {found.rounds}")
    for name in ("first paint", "a field to type into", "target"):
        table.add_column(name, justify="right")
    for name in (OURS, BARE):
        painted, usable = found.median(name)
        met = f"paint ≤ {TARGET:g} s: {'met' if painted <= TARGET else 'missed'}" if name == OURS else ""
        table.add_row(name, f"{painted:.2f} s", f"{usable:.2f} s", met)
    painted, usable = found.ratios
    table.add_row("ours to the bare one", f"{painted:.2f}", f"{usable:.2f}", "")
    Console().print(table)
