"""``choirmaster bench fitting``: how long it takes to fit a router."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def fitting(
    each: Annotated[int, typer.Option(min=1, max=10, help="Prompts of each of the thirty genres.")] = 10,
    compositions: Annotated[int, typer.Option(min=3, max=32, help="Compositions, one of them a control.")] = 7,
    seeds: Annotated[int, typer.Option(min=1, max=16, help="Songs of each prompt and composition.")] = 2,
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench-fitting.json"),
) -> None:
    """Time the fit of a router to songs of planted word error rates."""
    from rich import box
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from adapters.files import write_text_atomically
    from bench.fitting import TARGET, time_fitting
    from eval.prompts import ROUTER, across_genres, read_prompts
    from router.sentences import load_sentence_model

    prompts = across_genres(read_prompts(ROUTER))[: 30 * each]
    with Progress(console=Console(stderr=True)) as bars:
        task = bars.add_task("genres left out", total=30)
        found = time_fitting(
            prompts,
            load_sentence_model(),
            compositions,
            seeds,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    write_text_atomically(out, json.dumps(asdict(found), indent=1) + "\n")
    size = f"{found.prompts} prompts of {found.genres} genres × {found.compositions} compositions × {found.seeds} seeds"
    table = Table(size, "seconds", "target", box=box.MARKDOWN)
    full = (found.prompts, found.compositions, found.seeds) == (300, 7, 2)
    met = f"≤ {TARGET:g} s: {'met' if found.seconds <= TARGET else 'missed'}" if full else ""
    table.add_row("sentence vectors and lyric figures", f"{found.describing:.1f}", "")
    table.add_row(f"leaving out every genre, choosing, controls ({found.policy})", f"{found.fitting:.1f}", "")
    table.add_row("together", f"{found.seconds:.1f}", met)
    Console().print(table)
