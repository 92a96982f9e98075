"""``bench engine``: every figure of the engine with its target, on the embedded model and on a mid-size one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from bench.subjects import Subject
    from bench.switching import SwitchCosts

#: Most, or least, that each figure should be.
TARGETS = {"blends per row": 1.08, "folded": 1.01, "8 heads watched": 1.05}
FASTER = 2.0


def engine(
    subject: Annotated[str, typer.Option(help="tiny, mid or both.")] = "both",
    seconds: Annotated[float, typer.Option(min=2, max=24, help="Length of the songs.")] = 9.0,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Times each way is measured.")] = 7,
    clients: Annotated[int, typer.Option(min=0, help="Songs of each number of clients, 0 for none.")] = 48,
    songs: Annotated[int, typer.Option(min=0, help="Songs over which memory is watched, 0 for none.")] = 500,
    out: Annotated[Path, typer.Option(help="JSON file of the figures.")] = Path("outputs/bench-engine.json"),
) -> None:
    """Time passes, songs at once, switches and clients beside diffusers and peft; watch memory over many songs."""
    from rich.console import Console

    from adapters.files import write_text_atomically
    from bench.subjects import embedded, mid_size
    from engine.errors import RequestError

    known: dict[str, list[Callable[[], Subject]]] = {
        "tiny": [embedded],
        "mid": [mid_size],
        "both": [embedded, mid_size],
    }
    if subject not in known:
        raise RequestError(f"--subject {subject} is none: choose one of {', '.join(known)}")
    console, progress, found = Console(width=120), Console(stderr=True), dict[str, Any]()
    for number, make in enumerate(known[subject]):
        measured = _Measurement(make(), seconds, rounds, progress)
        tables = [
            measured.passes(),
            measured.throughput(),
            measured.switches(),
            measured.exactness(48 if number == 0 else 12),
        ]
        tables += [measured.shares()]
        if number == 0:
            tables += [measured.clients(clients)] if clients else []
            tables += [measured.endurance(songs)] if songs else []
        found[measured.subject.name] = measured.figures
        write_text_atomically(out, json.dumps(found, indent=1) + "\n")
        for table in tables:
            console.print(table)
    progress.print(f"figures are in {out}")


class _Measurement:
    """All figures of one subject, each as a table and as plain values."""

    def __init__(self, subject: Subject, seconds: float, rounds: int, progress: Any) -> None:
        self.subject, self.seconds, self.rounds, self.progress = subject, seconds, rounds, progress
        self.figures: dict[str, Any] = {}

    def passes(self) -> Table:
        from bench.passes import time_passes

        with self.progress.status(f"{self.subject.name}: forward passes"):
            found = time_passes(self.subject, seconds=self.seconds, rounds=self.rounds)
        self.figures["passes"] = asdict(found)
        table = _table(
            f"{self.subject.name}: a pass of {found.rows} rows, {found.frames} frames", "to the bare pass", "target"
        )
        table.add_row("our bare pass", f"{1000 * found.bare:.0f} ms", "")
        for name, ratio in found.ratios.items():
            target = TARGETS.get(name)
            table.add_row(name, f"{ratio:.3f}", "" if target is None else _judged(ratio <= target, f"≤ {target:g}"))
        return table

    def throughput(self) -> Table:
        from bench.throughput import ONE_BY_ONE, OURS, time_throughput

        with self.progress.status(f"{self.subject.name}: songs at once"):
            found = time_throughput(self.subject, seconds=self.seconds, rounds=max(3, self.rounds // 2))
        self.figures["throughput"] = asdict(found)
        table = _table(
            f"{self.subject.name}: {found.songs} songs of {found.seconds:g} s over 5 compositions",
            "songs per minute",
            "engine to it",
            "target",
        )
        table.add_row(OURS, f"{found.per_minute[OURS]:.0f}", "", "")
        for name, ratio in found.ratios.items():
            least = FASTER if name == ONE_BY_ONE else 1.0
            table.add_row(
                name, f"{found.per_minute[name]:.0f}", f"{ratio:.2f}", _judged(ratio >= least, f"≥ {least:g}")
            )
        return table

    def switches(self) -> Table:
        from bench.switching import time_switches

        with self.progress.status(f"{self.subject.name}: switches"):
            found = time_switches(self.subject, seconds=self.seconds, rounds=self.rounds)
        self.figures["switches"] = asdict(found)
        return _switch_table(self.subject.name, found)

    def shares(self) -> Table:
        from bench.profile import profile_pass

        with self.progress.status(f"{self.subject.name}: where the time goes"):
            found = profile_pass(self.subject, seconds=self.seconds)
        self.figures["shares"] = asdict(found)
        table = _table(f"{self.subject.name}: a pass of {found.rows} rows with blends", "share of its time")
        for kind, share in found.shares.items():
            table.add_row(kind, f"{100 * share:.0f} %")
        return table

    def exactness(self, songs: int) -> Table:
        from bench.exactness import measure_exactness

        with self.progress.status(f"{self.subject.name}: songs among others and alone"):
            found = measure_exactness(self.subject, songs)
        self.figures["exactness"] = asdict(found)
        table = _table(f"{self.subject.name}: {found.songs} songs among others and alone", "latents differ by")
        table.add_row("median", f"{found.median:.1e}")
        table.add_row("songs that differ by less than 1e-4", f"{found.within} of {found.songs}")
        table.add_row("most", f"{found.worst:.1e}")
        table.add_row("that song alone, from double precision", f"{found.rounding:.1e}")
        return table

    def clients(self, songs: int) -> Table:
        from bench.throughput import time_clients

        with self.progress.status(f"{self.subject.name}: clients"):
            found = time_clients(self.subject, songs=songs)
        self.figures["clients"] = [asdict(latency) for latency in found]
        table = _table(f"{self.subject.name}: clients", "songs", "p50", "p95", "songs per minute")
        for latency in found:
            row = (str(latency.songs), f"{latency.p50:.2f} s", f"{latency.p95:.2f} s", f"{latency.per_minute:.0f}")
            table.add_row(str(latency.clients), *row)
        return table

    def endurance(self, songs: int) -> Table:
        from rich.progress import Progress

        from bench.endurance import measure_endurance

        with Progress(console=self.progress, transient=True) as bar:
            task = bar.add_task(f"{self.subject.name}: memory", total=songs)
            found = measure_endurance(self.subject, songs, lambda: bar.advance(task))
        self.figures["endurance"] = asdict(found)
        table = _table(f"{self.subject.name}: songs sung", "resident memory")
        for sung, megabytes in found.resident.items():
            table.add_row(str(sung), f"{megabytes:.0f} MB")
        return table


def _switch_table(name: str, found: SwitchCosts) -> Table:
    table = _table(f"{name}: switching the composition", "milliseconds")
    table.add_row(f"a step of {found.songs} songs", f"{found.step:.0f}")
    table.add_row("what a first pass takes longer, stacked beside the loop", f"{found.rows:.1f}")
    table.add_row("stacking, beside the loop", f"{found.stacking:.1f}")
    table.add_row("what a first pass takes longer, folded beside the loop", f"{found.folded:.1f}")
    table.add_row("folding, beside the loop", f"{found.folding:.1f}")
    table.add_row("diffusers set_adapters", f"{found.set_adapters:.1f}")
    table.add_row("diffusers load_lora_weights", f"{found.load_lora_weights:.1f}")
    return table


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.MARKDOWN)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _judged(met: bool, target: str) -> str:
    return f"{target}: {'met' if met else 'missed'}"
