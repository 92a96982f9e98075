"""The ``measure`` verb: sing the everyday prompts, judge them, print the README's target table and write it as JSON.

The only module of this room that brings engine and judge together; both are imported once the options are known to be
right. May be stopped and started again: what was sung and judged stays in ``clips.jsonl`` of ``--out``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapters.places import SHELF, TINY_MODEL

if TYPE_CHECKING:
    from rich.console import Console

    from adapters.composition import Composition
    from engine.request import SongRequest
    from eval.alignment import HeadAccuracy
    from eval.clips import Clip
    from eval.targets import Listen, Sing, Sung

    Align = Callable[[Sequence[Clip]], Sequence[HeadAccuracy]]

#: Seeds count up from the first over 120 prompts and up to 100 takes and must stay below the engine's limit.
_LAST_SEED = 2**31 - 102_000


@dataclass(frozen=True)
class Options:
    """What to measure, with which judge, and where the results go."""

    # singing
    model: str = str(TINY_MODEL)
    steps: int | None = None
    seed: int = 42
    limit: int | None = None
    takes: int = 1
    covered: bool = False
    composition: str = ""
    shelf: Path = SHELF
    # listening
    judge: str = "base"
    device: str = "cpu"
    compute_type: str = "int8"
    threads: int | None = None
    # beside the prompts
    recordings: Path | None = None
    alignment: int = 24
    # results
    out: Path = Path("outputs/measure")


def measure(
    model: Annotated[str, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")] = "",
    steps: Annotated[int | None, typer.Option(min=1, max=200, help="Denoising steps; by default the preset's.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=_LAST_SEED, help="Of the first prompt; the next ones count up.")] = 42,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Prompts to sing, genres in turn; by default all 120.")
    ] = None,
    takes: Annotated[int, typer.Option(min=1, max=100, help="Times each is sung, with other seeds.")] = 1,
    covered: Annotated[
        bool, typer.Option("--covered", help="Only genres that the model's coverage.json calls well covered.")
    ] = False,
    composition: Annotated[
        str, typer.Option(help="Adapters to sing with, such as lyrics=0.6,nolyrics=0.4; by default the base model.")
    ] = "",
    shelf: Annotated[Path, typer.Option(help="Folder of adapters.")] = SHELF,
    judge: Annotated[str, typer.Option(help="base, a faster-whisper size, a hub id or a folder.")] = "base",
    device: Annotated[str, typer.Option(help="Where the judge listens: cpu or cuda.")] = "cpu",
    compute_type: Annotated[str, typer.Option(help="The judge's arithmetic: int8, float16, float32.")] = "int8",
    threads: Annotated[int | None, typer.Option(min=1, help="Cores the judge may use; by default up to four.")] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Also judge the recordings of `choirmaster recordings`, the ceiling.")
    ] = None,
    alignment: Annotated[
        int, typer.Option(min=0, max=120, help="Songs whose attention maps are compared with the word timings.")
    ] = 24,
    out: Annotated[Path, typer.Option(help="Folder for clips.jsonl and targets.json.")] = Path("outputs/measure"),
) -> None:
    """Measure how well the words come through: single lines and whole songs of thirty genres."""
    options = Options(
        model or str(TINY_MODEL),
        steps,
        seed,
        limit,
        takes,
        covered,
        composition,
        shelf,
        judge,
        device,
        compute_type,
        threads,
        recordings,
        alignment,
        out,
    )
    if status := run(options):
        raise typer.Exit(status)


def run(
    options: Options,
    sing: Sing | None = None,
    listen: Listen | None = None,
    align: Align | None = None,
) -> int:
    """Do the verb; its exit status: 1 when a clip failed, 130 when stopped.

    ``sing``, ``listen`` and ``align`` stand in for the engine, the judge and the measurement of attention.
    """
    from rich.console import Console

    from adapters.composition import parse_composition
    from adapters.files import write_text_atomically
    from adapters.fingerprints import fingerprint_model
    from eval.clips import ClipLog, clip_key, plan_clips
    from eval.judge import Judge
    from eval.prompts import read_prompts
    from eval.recordings import Player, read_recordings, recordings_fingerprint
    from eval.tables import alignment_table, genre_table, target_table
    from eval.targets import (
        CoverageError,
        Failure,
        measure_clips,
        read_coverage,
        run_name,
        summarise,
    )

    progress, output = Console(stderr=True), Console()
    if not output.is_terminal:  # a table for a file should not be folded to eighty columns
        output = Console(width=160)
    prompts = read_prompts()
    covered = read_coverage(Path(options.model), (p.genre for p in prompts))
    clips = plan_clips(prompts, options.seed, options.limit, options.takes)
    if options.covered:  # after the seeds are dealt, so that a clip is the same clip with and without
        if not covered:
            raise CoverageError(f"{options.model} has no coverage.json: measure all genres, without --covered")
        clips = tuple(c for c in clips if c.genre in covered)
    recorded = read_recordings(options.recordings) if options.recordings else ()
    judge = Judge(options.judge, options.device, options.compute_type, options.threads)
    judging: dict[str, Any] = {"judge": judge.title, "judge_settings": asdict(judge.settings)}
    settings: dict[str, Any] = {
        "model": fingerprint_model(Path(options.model)),
        "steps": options.steps,
        **judging,
    }
    if composition := parse_composition(options.composition):
        settings["composition"] = {name: [weight, _adapter(options, name)] for name, weight in composition.items()}
    name = run_name(settings)
    played = run_name(recordings_fingerprint(options.recordings, recorded), judging) if options.recordings else ""
    log = ClipLog(options.out / "clips.jsonl")
    failures: tuple[Failure, ...] = ()
    status = 0
    heads: tuple[HeadAccuracy, ...] = ()
    todo = {clip_key(c) for c in clips} - {clip_key(c) for c in log.read(name)}
    to_play = {clip_key(c) for c in recorded} - {clip_key(c) for c in log.read(played)}
    try:
        # Both before the first song: a missing judge should not be found out after it was sung.
        if todo or to_play:
            listen = listen or _judge(judge)
        if (todo and sing is None) or (options.alignment and align is None):
            engine = _Engine(options, composition)
            sing, align = sing or engine.sing, align or engine.align
        if todo and sing and listen:
            with _progress(progress, "singing", len(clips)) as advance:
                failures = measure_clips(clips, sing, listen, log, name, advance)
        if to_play and listen and options.recordings:
            with _progress(progress, "playing", len(recorded)) as advance:
                failures += measure_clips(recorded, Player(options.recordings), listen, log, played, advance)
        if options.alignment and align:
            songs = [c for c in clips if c.kind == "song"][: options.alignment]
            with progress.status(f"reading the attention of {len(songs)} songs"):
                heads = tuple(align(songs))
    except KeyboardInterrupt:
        progress.print("Stopped. The same command goes on from here.")
        status = 130
    report = summarise(clips, log.read(name), covered, failures, log.read(played))
    asked = {"seed": options.seed, "limit": options.limit, "takes": options.takes, "covered": options.covered}
    document = {"model_folder": options.model, **asked, "run": name, **settings}
    results = {**document, **asdict(report), "attention_heads": [asdict(h) for h in heads]}
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    write_text_atomically(options.out / "targets.json", text)
    output.print(target_table(report, judge.title, covered is not None))
    output.print(genre_table(report))
    if heads:
        output.print(alignment_table(heads))
    for failure in report.failures:
        progress.print(f"not measured: {failure.kind} of {failure.prompt}: {failure.reason}", markup=False)
    return status or (1 if failures else 0)


class _progress:
    """A bar on ``console``; calling what it enters advances it by one clip."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Callable[[Clip], None]:
        self._bar.start()
        return lambda clip: self._bar.update(self._task, advance=1, description=clip.prompt)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


class _Engine:
    """The song model, loaded once for singing and for reading its attention."""

    def __init__(self, options: Options, composition: Composition) -> None:
        from adapters.store import AdapterStore
        from engine.singer import Singer
        from engine.song_model import load_song_model

        self.singer = Singer(load_song_model(options.model), AdapterStore(options.shelf))
        self.steps, self.composition = options.steps, composition

    def request(self, clip: Clip) -> SongRequest:
        from engine.request import read_request

        fields = {"caption": clip.caption, "lyrics": clip.lyrics, "seed": clip.seed, "steps": self.steps}
        return read_request({**fields, "composition": self.composition})

    def sing(self, clip: Clip) -> Sung:
        return self.singer.sing(self.request(clip))

    def align(self, clips: Sequence[Clip]) -> list[HeadAccuracy]:
        from eval.alignment import measure_alignment

        if not self.singer.model.planned:  # without a plan nobody knows when a word is sung
            return []
        return measure_alignment(self.singer, [self.request(clip) for clip in clips])


def _adapter(options: Options, name: str) -> str:
    """The fingerprint of an adapter's files: a measurement belongs to these weights, not to their name."""
    from adapters.fingerprints import fingerprint_model
    from adapters.store import AdapterStore

    AdapterStore(options.shelf).card(name)
    return fingerprint_model(options.shelf / name)


def _judge(judge: Any) -> Listen:
    judge.load()
    listen: Listen = judge.listen
    return listen
