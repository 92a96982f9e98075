"""The ``measure`` verb: sing the everyday prompts, judge them, print the README's target table and write it as JSON.

The only module of this room that brings engine and judge together; both are imported once the options are known to be
right. May be stopped and started again: what was sung and judged stays in ``clips.jsonl`` of ``--out``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from eval.clips import Clip
    from eval.targets import Listen, Sing, Sung

TINY_MODEL = Path(__file__).resolve().parent.parent / "models" / "tiny"
#: Seeds count up from the first over 120 prompts and must stay below the engine's limit.
_LAST_SEED = 2**31 - 1000


@dataclass(frozen=True)
class Options:
    """What to measure, with which judge, and where the results go."""

    # singing
    model: str = str(TINY_MODEL)
    steps: int | None = None
    seed: int = 42
    limit: int | None = None
    # listening
    judge: str = "base"
    device: str = "cpu"
    compute_type: str = "int8"
    threads: int | None = None
    # results
    out: Path = Path("outputs/measure")


def measure(
    model: Annotated[str, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")] = "",
    steps: Annotated[int | None, typer.Option(min=1, max=200, help="Denoising steps; by default the preset's.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=_LAST_SEED, help="Of the first prompt; the next ones count up.")] = 42,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Prompts to sing, genres in turn; by default all 120.")
    ] = None,
    judge: Annotated[str, typer.Option(help="base, a faster-whisper size, a hub id or a folder.")] = "base",
    device: Annotated[str, typer.Option(help="Where the judge listens: cpu or cuda.")] = "cpu",
    compute_type: Annotated[str, typer.Option(help="The judge's arithmetic: int8, float16, float32.")] = "int8",
    threads: Annotated[int | None, typer.Option(min=1, help="Cores the judge may use; by default up to four.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for clips.jsonl and targets.json.")] = Path("outputs/measure"),
) -> None:
    """Measure how well the words come through: single lines and whole songs of thirty genres."""
    options = Options(model or str(TINY_MODEL), steps, seed, limit, judge, device, compute_type, threads, out)
    if status := run(options):
        raise typer.Exit(status)


def run(options: Options, sing: Sing | None = None, listen: Listen | None = None) -> int:
    """Do the verb; its exit status: 1 when a clip failed, 130 when stopped.

    ``sing`` and ``listen`` stand in for the engine and the judge.
    """
    from rich.console import Console

    from engine.files import write_text_atomically
    from eval.clips import ClipLog, clip_key, plan_clips
    from eval.judge import Judge
    from eval.prompts import read_prompts
    from eval.tables import genre_table, target_table
    from eval.targets import Failure, folder_fingerprint, measure_clips, read_coverage, run_name, summarise

    progress, output = Console(stderr=True), Console()
    if not output.is_terminal:  # a table for a file should not be folded to eighty columns
        output = Console(width=160)
    prompts = read_prompts()
    covered = read_coverage(Path(options.model), (p.genre for p in prompts))
    clips = plan_clips(prompts, options.seed, options.limit)
    judge = Judge(options.judge, options.device, options.compute_type, options.threads)
    settings: dict[str, Any] = {
        "model": folder_fingerprint(Path(options.model)),
        "steps": options.steps,
        "judge": judge.title,
        "judge_settings": asdict(judge.settings),
    }
    name = run_name(settings)
    log = ClipLog(options.out / "clips.jsonl")
    failures: tuple[Failure, ...] = ()
    status = 0
    try:
        if {clip_key(c) for c in clips} - {clip_key(c) for c in log.read(name)}:
            # Both before the first song: a missing judge should not be found out after it was sung.
            listen = listen or _judge(judge)
            sing = sing or _engine(options.model, options.steps)
            with _progress(progress, len(clips)) as advance:
                failures = measure_clips(clips, sing, listen, log, name, advance)
    except KeyboardInterrupt:
        progress.print("Stopped. The same command goes on from here.")
        status = 130
    report = summarise(clips, log.read(name), covered, failures)
    document = {"model_folder": options.model, "seed": options.seed, "limit": options.limit, "run": name, **settings}
    text = json.dumps({**document, **asdict(report)}, indent=1, ensure_ascii=False) + "\n"
    write_text_atomically(options.out / "targets.json", text)
    output.print(target_table(report, judge.title, covered is not None))
    output.print(genre_table(report))
    for failure in report.failures:
        progress.print(f"not measured: {failure.kind} of {failure.prompt}: {failure.reason}", markup=False)
    return status or (1 if failures else 0)


class _progress:
    """A bar on ``console``; calling what it enters advances it by one clip."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._bar.add_task("singing", total=total)

    def __enter__(self) -> Callable[[Clip], None]:
        self._bar.start()
        return lambda clip: self._bar.update(self._task, advance=1, description=clip.prompt)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _engine(model: str, steps: int | None) -> Sing:
    from engine.request import read_request
    from engine.singer import Singer
    from engine.song_model import load_song_model

    singer = Singer(load_song_model(model))

    def sing(clip: Clip) -> Sung:
        fields = {"caption": clip.caption, "lyrics": clip.lyrics, "seed": clip.seed, "steps": steps}
        return singer.sing(read_request(fields))

    return sing


def _judge(judge: Any) -> Listen:
    judge.load()
    listen: Listen = judge.listen
    return listen
