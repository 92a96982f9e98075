"""The ``eval`` verb: sing a grid of prompts, seeds and compositions, judge every song, write table and headline.

Its other words (``report``, ``attention``, ``floor``) live in modules of their own. Engine and judge are imported once
the options are known to be right.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapters.places import SHELF, TINY_MODEL
from eval.floor_cli import floor
from eval.look_cli import attention
from eval.prompts import TEST
from eval.report_cli import report

if TYPE_CHECKING:
    from rich.console import Console

    from engine.engine import Engine
    from eval.cells import Cell
    from eval.evaluation import Failure
    from eval.grid import Grid
    from eval.judge import Judge
    from eval.ledger import Listening, Todo

app = typer.Typer(name="eval", add_completion=False, help="Sing a grid of songs, judge them, and report.")
app.command("report")(report)
app.command("attention")(attention)
app.command("floor")(floor)

KeepMaps = Literal["first", "all", "none"]


@dataclass(frozen=True)
class Machine:
    """What an evaluation runs on."""

    # the song model
    device: str = "cpu"
    dtype: str = "fp32"
    song_timeout: float = 600.0
    # the judges
    judge_device: str = "cpu"
    workers: int | None = None


@app.callback(invoke_without_command=True)
def run_eval(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")] = "",
    compositions: Annotated[
        str, typer.Option(help="Such as base,lyrics or base,lyrics=0.6+nolyrics=0.4; by default base and the shelf.")
    ] = "",
    prompts: Annotated[Path, typer.Option(help="JSONL file of prompts; by default the thirty of the test set.")] = TEST,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Seeds of each prompt.")] = 4,
    first_seed: Annotated[int, typer.Option(min=0, help="What the seeds are derived from.")] = 42,
    limit: Annotated[int | None, typer.Option(min=1, help="Prompts to sing, genres in turn; by default all.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=200, help="Denoising steps; by default the preset's.")] = None,
    shelf: Annotated[Path, typer.Option(help="Folder of adapters.")] = SHELF,
    device: Annotated[str, typer.Option(help="Device of the song model, such as cpu or cuda.")] = "cpu",
    dtype: Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="Of the song model; bf16 on a GPU.")] = "fp32",
    song_timeout: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds that singing a song may take.")] = 600,
    judge: Annotated[
        list[str] | None,
        typer.Option(help="base, tiny.en, a faster-whisper size, a hub id or a folder; again for more judges."),
    ] = None,
    judge_device: Annotated[str, typer.Option(help="Where the judges listen: cpu or cuda.")] = "cpu",
    compute_type: Annotated[str, typer.Option(help="The judges' arithmetic: int8, float16, float32.")] = "int8",
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Copies of a judge; by default one per core, at most four.")
    ] = None,
    keep_maps: Annotated[
        KeepMaps, typer.Option(help="Attention maps to keep: of the first seed of each prompt, of all songs, or none.")
    ] = "first",
    out: Annotated[Path, typer.Option(help="Folder of the evaluation.")] = Path("outputs/eval"),
) -> None:
    """Sing every prompt from every seed by every composition, judge every song, and write the table.

    May be stopped and started again: the same command goes on where it was.
    """
    if context.invoked_subcommand is not None:
        return
    from adapters.store import AdapterStore
    from eval.compositions import parse_compositions
    from eval.grid import Grid, Plan
    from eval.judge import Judge
    from eval.prompts import across_genres, read_prompts

    store = AdapterStore(shelf)
    asked = parse_compositions(compositions) if compositions else ({}, *({name: 1.0} for name in store.names()))
    found = across_genres(read_prompts(prompts))[:limit]
    grid = Grid(Plan(model or str(TINY_MODEL), found, asked, seeds, first_seed, steps, dtype), out, store)
    judges = [Judge(name, judge_device, compute_type) for name in dict.fromkeys(judge or ["base"])]
    machine = Machine(device, dtype, song_timeout, judge_device, workers)
    if status := run(grid, judges, prompts, machine, keep_maps):
        raise typer.Exit(status)


def run(grid: Grid, judges: list[Judge], prompts: Path, machine: Machine, keep_maps: KeepMaps) -> int:
    """Do the verb; its exit status: 1 when a song failed, 130 when stopped.

    The table is written however this ends.
    """
    from rich.console import Console

    from adapters.errors import ChoirmasterError
    from eval.ears import identify
    from eval.ledger import Ledger
    from eval.provenance import describe_evaluation

    progress = Console(stderr=True)
    for judge in judges:
        _check_judge(judge)
    known = {identify(judge): judge for judge in judges}
    status = 0
    failures: tuple[Failure, ...] = ()
    with grid.claim():
        todo = Ledger(grid).todo(list(known))
        command = shlex.join(["choirmaster", *sys.argv[1:]])
        about = describe_evaluation(grid, judges, prompts, command, datetime.now(UTC), not _is_done(todo))
        try:
            failures = _evaluate(grid, todo, known, machine, keep_maps, progress, about)
        except KeyboardInterrupt:
            progress.print("Stopped. The same command goes on from here.")
            status = 130
        except ChoirmasterError:
            _write(grid, list(known), about, progress)
            raise
        _write(grid, list(known), about, progress)
    for failure in failures:
        progress.print(f"not measured: {' '.join(map(str, failure.cell.key))}: {failure.reason}", markup=False)
    return status or (1 if failures else 0)


def _is_done(todo: Todo) -> bool:
    return not todo.sing and not any(todo.hear.values())


def _check_judge(judge: Judge) -> None:
    """Find the weights before anything is written: a missing judge should not be found out late."""
    from eval.weights import resolve_weights

    resolve_weights(judge.name)


def _write(grid: Grid, judges: list[Listening], about: Mapping[str, Any], progress: Console) -> None:
    from rich.console import Console

    from eval.grid_table import write_results
    from eval.standing import print_agreement, print_standing
    from eval.table import PARQUET, TableError, read_table

    output = Console()
    if not output.is_terminal:  # a table for a file should not be folded to eighty columns
        output = Console(width=160)
    try:
        before = len(read_table(grid.folder).songs) if (grid.folder / PARQUET).is_file() else 0
    except TableError:  # it is written anew
        before = 0
    table = write_results(grid, judges, about)
    for title in table.judges:
        print_standing(table, title, output)
    if len(table.judges) > 1:
        print_agreement(table, output)
    cells = len(table.songs.drop_duplicates(["prompt", "seed", "composition"]))
    if len(table.songs) < before:
        progress.print(
            f"The table had {before} rows and now has {len(table.songs)}: it holds what this command asks for. What "
            "was sung beyond that is kept, and a command that asks for it finds it again.",
            markup=False,
        )
    progress.print(
        f"{cells} of {len(grid.cells)} songs are in {grid.folder}; `choirmaster eval report {grid.folder}` makes a "
        "page of them",
        markup=False,
    )


def _evaluate(
    grid: Grid,
    todo: Todo,
    judges: Mapping[Listening, Judge],
    machine: Machine,
    keep_maps: KeepMaps,
    console: Console,
    about: dict[str, Any],
) -> tuple[Failure, ...]:
    """Load what is needed, and sing and hear what is left."""
    import torch

    from eval.ears import load_copies, share_cores
    from eval.evaluation import Watcher, evaluate
    from eval.progress import Bars

    if _is_done(todo):
        return ()
    shares = share_cores(len(judges), machine.judge_device, machine.workers)
    with console.status("loading the judges"):  # before the song model: they may not be there
        listeners = {
            one: load_copies(judge.name, judge.device, judge.compute_type, shares)
            for one, judge in judges.items()
            if todo.hear[one]
        }
    engine = None
    if todo.sing:
        with console.status("loading the song model"):
            torch.set_num_threads(shares.model_threads)
            engine = _load_engine(grid, machine)
        about["preset"] = engine.model.preset.name
        about["alignment_heads"] = [list(place) for place in engine.model.aligned_heads]
    first = {cell.prompt.id: cell.seed for cell in reversed(grid.cells)}
    keep: dict[KeepMaps, Callable[[Cell], bool]] = {
        "all": lambda cell: True,
        "none": lambda cell: False,
        "first": lambda cell: cell.seed == first[cell.prompt.id],
    }
    bars = Bars(console, len(todo.sing), sum(map(len, todo.hear.values())))
    try:
        with bars as (sung, heard):
            return evaluate(grid, todo, engine, listeners, Watcher(sung, heard), keep[keep_maps])
    finally:
        if engine is not None:
            engine.close()


def _load_engine(grid: Grid, machine: Machine) -> Engine:
    """The engine, once every composition is known to fit its model."""
    from adapters.exporting import DTYPES
    from engine.engine import Engine
    from engine.song_model import load_song_model
    from eval.stage import settle_engine

    model = load_song_model(grid.plan.model, device=machine.device, dtype=DTYPES[machine.dtype])
    engine = Engine(model, shelf=grid.shelf, settings=settle_engine(grid, machine.device, machine.song_timeout))
    try:
        for composition in grid.plan.compositions:
            engine.singer.bank.voices(composition)
    except BaseException:
        engine.close()
        raise
    return engine
