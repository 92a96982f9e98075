"""``choirmaster bench routing``: how long a router takes to decide."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def routing(
    router: Annotated[Path | None, typer.Option(help="A fitted router; by default the shipped one.")] = None,
    rounds: Annotated[int, typer.Option(min=10, max=5000, help="Decisions of each kind, after one to warm up.")] = 300,
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench-routing.json"),
) -> None:
    """Time a router's decisions beside sentence-transformers reading one caption."""
    from rich import box
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from adapters.files import write_text_atomically
    from adapters.places import TINY_MODEL
    from bench.routing import AGAIN, NEW, PEER, TARGET, time_routing

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("deciding", total=rounds + 1)
        found = time_routing(router or TINY_MODEL / "router.json", rounds, lambda: progress.advance(task))
    write_text_atomically(out, json.dumps(asdict(found), indent=1) + "\n")
    table = Table(box=box.MARKDOWN)
    table.add_column(
        f"{found.policy}, {found.prompts} prompts × {found.compositions} compositions, {found.rounds} rounds"
    )
    for name in ("p50", "p95", "to the peer", "target"):
        table.add_column(name, justify="right")
    for way in (NEW, AGAIN, PEER):
        met = f"p50 ≤ {TARGET * 1000:g} ms: {'met' if found.median(way) <= TARGET else 'missed'}" if way == NEW else ""
        beside = f"{found.ratio:.2f}" if way == NEW else ""
        table.add_row(way, f"{found.median(way) * 1000:.1f} ms", f"{found.slow(way) * 1000:.1f} ms", beside, met)
    table.add_row("loading the router", f"{found.load_router * 1000:.0f} ms", "", "", "")
    table.add_row("loading the sentence model", f"{found.load_sentences * 1000:.0f} ms", "", "", "")
    Console().print(table)
