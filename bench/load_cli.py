"""The verb ``bench load``: many clients against a server of its own; printed as a table and written as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from bench.load import LoadReport
    from bench.load_ledger import Latency

#: Faults shown; the JSON has more of them.
SHOWN = 20


def load(
    minutes: Annotated[float, typer.Option(min=0.05, max=1440, help="How long the clients ask.")] = 10.0,
    clients: Annotated[int, typer.Option(min=1, max=256, help="Clients at once.")] = 16,
    plain: Annotated[
        bool, typer.Option("--plain", help="Only songs: no cancelling, leaving, bad input or bursts.")
    ] = False,
    again: Annotated[int, typer.Option(min=0, max=1000, help="Songs that are sung again alone and compared.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of what the clients do.")] = 0,
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")
    ] = None,
    judge: Annotated[str, typer.Option(help="Who listens in the server.")] = "none",
    max_queue: Annotated[int, typer.Option(min=1, max=100_000, help="Songs that may wait in the server.")] = 8,
    drain: Annotated[float, typer.Option(min=0, max=3600, help="Seconds the server gets to finish songs in.")] = 60.0,
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench-load.json"),
) -> None:
    """Let many clients loose on a server, check every song. Ctrl-C ends early; exits with 1 if anything was wrong."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from adapters.files import write_text_atomically
    from bench.load import LoadSettings, measure_load

    settings = LoadSettings(clients, 60 * minutes, seed, again, plain, model, judge, max_queue, drain)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=Console(stderr=True)) as shown:
        task, doing = shown.add_task("", total=None, state=""), ""

        def tell(what: str, done: float, of: float, state: str) -> None:
            nonlocal task, doing
            if what != doing:  # a bar of its own, so that the time left is that of what is being done
                shown.remove_task(task)
                task, doing = shown.add_task(what, state=state), what
            shown.update(task, completed=done, total=of or None, state=state)

        report = measure_load(settings, tell)
    write_text_atomically(out, json.dumps(report.as_json(), indent=1) + "\n")
    # Wide where nobody looks at it, so that rows stay rows in a file.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(tabulate(report))
    for fault in report.faults[:SHOWN]:
        console.print(f"- {fault}", markup=False, highlight=False)
    if report.fault_count > SHOWN:
        console.print(f"{report.fault_count - SHOWN} more faults: see {out}")
    if not report.passed:
        raise typer.Exit(1)


def tabulate(report: LoadReport) -> Table:
    """The figures, for people."""
    from rich import box
    from rich.table import Table

    usage, alone, ending = report.usage, report.alone, report.ending
    cut = ", interrupted" if report.interrupted else ""
    table = Table(box=box.MARKDOWN)
    table.add_column(f"{report.clients} clients for {report.seconds / 60:.1f} minutes{cut}")
    table.add_column("figure", justify="right")
    table.add_row("songs per minute", f"{report.songs_per_minute:.1f}")
    table.add_row("asked to first step: p50, p95", _latency(report.first_step))
    table.add_row("asked to done: p50, p95", _latency(report.done))
    table.add_row("songs asked for", str(sum(report.fates.values())))
    for fate, count in sorted(report.fates.items()):
        table.add_row(f"songs {fate}", str(count))
    table.add_row("rows of a batch, mean", f"{usage.batch_rows:.1f}")
    table.add_row("songs being sung at once, mean", f"{usage.singing:.1f}")
    table.add_row("songs waiting, mean", f"{usage.queued:.1f}")
    table.add_row("a step, mean", f"{1000 * usage.step_seconds:.0f} ms")
    table.add_row(
        "resident memory: first quarter, last quarter, peak",
        ", ".join(_memory(m) for m in (usage.memory_first, usage.memory_last, usage.memory_peak)),
    )
    table.add_row(
        f"{alone.songs} songs sung again alone: worst difference, correlation",
        f"{alone.worst_difference:.1e}, {alone.worst_correlation:.6f}" if alone.songs else "none",
    )
    if ending is not None:
        code = "still running" if ending.code is None else f"exit code {ending.code}"
        table.add_row("told to end while singing", f"{ending.seconds:.1f} s, {code}")
        table.add_row("songs listed after a restart", str(ending.listed))
    table.add_row("answers by status", ", ".join(f"{s}: {n}" for s, n in report.statuses().items()))
    table.add_row("waits on a full queue", str(report.queue_waits))
    table.add_row("done by clients", ", ".join(f"{act} {count}" for act, count in report.acts.items()))
    table.add_row("faults", str(report.fault_count))
    return table


def _latency(latency: Latency) -> str:
    if latency.p50 is None or latency.p95 is None:
        return "unknown"
    return f"{latency.p50:.1f} s, {latency.p95:.1f} s"


def _memory(megabytes: float | None) -> str:
    return "unknown" if megabytes is None else f"{megabytes:.0f} MB"
