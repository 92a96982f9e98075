"""The verb ``eval floor``: what judges make of recordings, silence, noise and songs without words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapters.places import TINY_MODEL

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from eval.floor import FloorClip, FloorRow, Listener
    from eval.targets import Sung

FILE = "floor.json"
_INSTRUMENTAL_SECONDS = 10.0


@dataclass(frozen=True)
class FloorOptions:
    """What to listen to, with which judges, and where the results go."""

    judges: tuple[str, ...] = ("base",)
    recordings: Path | None = None
    model: str = str(TINY_MODEL)
    instrumentals: int = 10
    noises: int = 3
    device: str = "cpu"
    compute_type: str = "int8"
    threads: int | None = None
    out: Path = Path("outputs/floor")


def floor(
    judge: Annotated[
        list[str] | None,
        typer.Option(help="base, tiny.en, a faster-whisper size, a hub id, a folder; may be repeated; else base."),
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="Folder of `choirmaster recordings`: sung and spoken lines of known words."),
    ] = None,
    model: Annotated[str, typer.Option(help="Song model that plays without words; by default the embedded one.")] = "",
    instrumentals: Annotated[int, typer.Option(min=0, max=1000, help="Songs without words, genres in turn.")] = 10,
    noises: Annotated[int, typer.Option(min=0, max=100, help="Clips of silence and of each noise and level.")] = 3,
    device: Annotated[str, typer.Option(help="Where the judges listen: cpu or cuda.")] = "cpu",
    compute_type: Annotated[str, typer.Option(help="The judges' arithmetic: int8, float16, float32.")] = "int8",
    threads: Annotated[int | None, typer.Option(min=1, help="Cores a judge may use; by default up to four.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for floor.json.")] = Path("outputs/floor"),
) -> None:
    """Measure what a judge gets wrong by itself: on what is sung and spoken well, and where nobody sings."""
    names = tuple(dict.fromkeys(judge or ["base"]))
    options = FloorOptions(
        names, recordings, model or str(TINY_MODEL), instrumentals, noises, device, compute_type, threads, out
    )
    if status := run_floor(options):
        raise typer.Exit(status)


def run_floor(
    options: FloorOptions,
    listeners: Sequence[Listener] | None = None,
    sing: Callable[[str, int], Sung] | None = None,
) -> int:
    """Do the verb; its exit status: 1 when a clip failed, 130 when stopped, and then nothing is written.

    ``listeners`` and ``sing`` stand in for the judges and the song model.
    """
    from rich.console import Console

    from eval.floor import FloorError, FloorFailure, HeardClip, measure_floor, summarise_floor
    from eval.judge import Judge

    progress, output = Console(stderr=True), Console()
    if not output.is_terminal:  # a table for a file should not be folded to eighty columns
        output = Console(width=160)
    judges = [Judge(name, options.device, options.compute_type, options.threads) for name in options.judges]
    clips = _plan(options, sing, progress)
    if not clips:
        raise FloorError("nothing to listen to: give --recordings, or more than 0 --instrumentals or --noises")
    if listeners is None:
        with progress.status("loading the judges"):  # a missing judge should not be found out after a song was sung
            for one in judges:
                one.load()
        listeners = judges
    heard, failures, status = list[HeardClip](), list[FloorFailure](), 0
    try:
        with _bar(progress, len(clips)) as advance:
            for done, found, failed in measure_floor(clips, listeners, judges[0].batch):
                heard += found
                failures += failed
                advance(done)
    except KeyboardInterrupt:
        progress.print("Stopped: this is what was heard so far, and nothing was written.")
        status = 130
    rows = summarise_floor(heard)
    output.print(floor_table(rows))
    for failure in failures:
        progress.print(f"not measured: {failure.kind}, {failure.name}: {failure.reason}", markup=False)
    if status == 0:
        path = options.out / FILE
        _write(path, options, {one.title: one.describe() for one in judges}, rows, heard, failures)
        progress.print(f"the floor is in {path}", markup=False)
    return status or (1 if failures else 0)


def floor_table(rows: Sequence[FloorRow]) -> Table:
    """The floor in Markdown. WER where words were to be heard, words a minute where none were."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.MARKDOWN)
    left = ("heard", "judge")
    for name in (*left, "clips", "minutes", "words", "WER", "95 % interval", "words heard a minute"):
        table.add_column(name, justify="left" if name in left else "right")
    for row in rows:
        wer = (f"{row.wer.estimate:.3f}", f"{row.wer.low:.3f}–{row.wer.high:.3f}") if row.wer else ("–", "–")
        invented = "–" if row.words_per_minute is None else f"{row.words_per_minute:.1f}"
        table.add_row(row.kind, row.judge, str(row.clips), f"{row.minutes:.1f}", str(row.words), *wer, invented)
    return table


def _plan(options: FloorOptions, sing: Callable[[str, int], Sung] | None, progress: Console) -> tuple[FloorClip, ...]:
    from engine.genres import GENRES
    from eval.floor import instrumental_clips, quiet_clips, recorded_clips

    clips: tuple[FloorClip, ...] = ()
    if options.recordings is None:
        progress.print(
            "recordings and speech are left out: write them with `choirmaster recordings`, then name their folder "
            "with --recordings"
        )
    else:
        clips = recorded_clips(options.recordings)
        if not any(clip.kind == "speech" for clip in clips):
            told = f"{options.recordings} holds no speech: `choirmaster recordings` writes it too when run again"
            progress.print(told, markup=False)
    clips += quiet_clips(options.noises)
    if options.instrumentals:
        genres = list(GENRES)
        captions = [f"instrumental {genres[n % len(genres)]}" for n in range(options.instrumentals)]
        clips += instrumental_clips(captions, sing or _band(options.model, progress))
    return clips


def _band(model: str, progress: Console) -> Callable[[str, int], Sung]:
    """The song model, loaded now so that it is not found missing later."""
    from engine.request import read_request
    from engine.singer import Singer
    from engine.song_model import load_song_model

    with progress.status("loading the song model"):
        singer = Singer(load_song_model(model))

    def play(caption: str, seed: int) -> Sung:
        fields = {"caption": caption, "lyrics": "", "seed": seed, "duration": _INSTRUMENTAL_SECONDS, "attention": None}
        return singer.sing(read_request(fields))

    return play


def _write(
    path: Path,
    options: FloorOptions,
    judges: dict[str, Any],
    rows: Sequence[object],
    heard: Sequence[object],
    failures: Sequence[object],
) -> None:
    import json
    from dataclasses import asdict

    from adapters.files import write_text_atomically
    from eval.floor import FloorError

    told = {**asdict(options), "judges": judges}
    parts: dict[str, Sequence[Any]] = {"rows": rows, "clips": heard, "failures": failures}
    document = {**told, **{name: [asdict(one) for one in part] for name, part in parts.items()}}
    try:
        write_text_atomically(path, json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n")
    except OSError as error:
        raise FloorError(f"{path} cannot be written ({error.strerror or error}): choose another --out") from error


class _bar:
    """A bar on ``console``; what it gives is told how many clips are done."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("listening"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task("listening", total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return lambda done: self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
