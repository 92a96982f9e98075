"""The ``export`` verb: a composition as a file for another tool, or as a whole model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from adapters.places import SHELF, TINY_MODEL

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from adapters.blending import Compression


# As the modules themselves name them, which are not imported before the options are known to be right.
_Format = Literal["peft", "diffusers", "comfyui", "original", "full-diffusers", "full-original"]
_Merge = Literal["concat", "ties", "dare-ties", "knots"]
_Dtype = Literal["fp32", "bf16", "fp16"]


def export(
    composition: Annotated[str, typer.Option(help="Adapters and weights, like lyrics=0.6,nolyrics=0.4; or base.")],
    form: Annotated[
        _Format, typer.Option("--format", help="What reads it. full-… is the whole model, the rest a LoRA.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder; for comfyui also a file that ends in .safetensors.")],
    rank: Annotated[
        int | None, typer.Option(min=1, help="Compress every layer to this rank and print what that loses.")
    ] = None,
    merge: Annotated[_Merge, typer.Option(help="concat is the exact weighted sum.")] = "concat",
    density: Annotated[float, typer.Option(help="Share of values that ties, dare-ties and knots keep.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of what dare-ties drops.")] = 0,
    dtype: Annotated[
        _Dtype | None, typer.Option(help="Of the values; by default fp32 for a LoRA, the model's own for full-….")
    ] = None,
    shelf: Annotated[Path, typer.Option(help="Folder of adapters.")] = SHELF,
    model: Annotated[Path, typer.Option(help="Folder of the song model in diffusers layout.")] = TINY_MODEL,
    max_shard_size: Annotated[str, typer.Option(help="Largest file of a whole model, like 5GB or 500MB.")] = "5GB",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export at --out.")] = False,
) -> None:
    """Export a composition of adapters: as one LoRA for other tools, or folded into the whole model."""
    from rich.console import Console

    from adapters.composition import format_composition, parse_composition
    from adapters.exporting import ExportOptions, export_composition
    from adapters.shards import parse_size
    from adapters.store import AdapterStore

    options = ExportOptions(
        form=form,
        merge=merge,
        rank=rank,
        density=density,
        seed=seed,
        dtype=dtype,
        shard_size=parse_size(max_shard_size),
        overwrite=overwrite,
    )
    parsed, console = parse_composition(composition), Console(stderr=True)
    with _Bar(console) as bar:
        done = export_composition(parsed, out, options, store=AdapterStore(shelf), model=model, start=bar.start)
    output = Console() if Console().is_terminal else Console(width=120)  # a table for a file is not folded
    if done.compression:
        output.print(_loss_table(done.compression))
    ranks = sorted(set(done.ranks.values()))
    what = (
        f"rank {'-'.join(map(str, dict.fromkeys((ranks[0], ranks[-1]))))} in {len(done.ranks)} layers" if ranks else ""
    )
    size = sum(path.stat().st_size for path in done.files)
    what = what or f"{len(done.files)} file{'s' if len(done.files) > 1 else ''}"
    output.print(f"{format_composition(parsed)} -> {out}: {form}, {what}, {size / 1e6:.1f} MB", markup=False)
    for note in done.notes:
        console.print(f"note: {note}", markup=False)


def _loss_table(compression: Compression) -> Table:
    from rich.table import Table

    table = Table("layer", "relative error", box=None)
    for name, error in compression.errors.items():
        table.add_row(name, f"{error:.4%}")
    table.add_row(f"all layers at rank {compression.rank}", f"{compression.overall:.4%}", style="bold")
    return table


class _Bar:
    """Says that it works, and once a whole model is written, how many of its bytes are."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("blending")
        self._progress: Progress | None = None

    def start(self, total: int) -> Callable[[int], None]:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._status.stop()
        progress = Progress(
            TextColumn("writing"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=self._console
        )
        task = progress.add_task("writing", total=total)
        progress.start()
        self._progress = progress
        return lambda size: progress.update(task, advance=size)

    def __enter__(self) -> _Bar:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()
        if self._progress:
            self._progress.stop()
