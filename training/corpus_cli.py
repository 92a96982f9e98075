"""The verb ``corpus``: make corpora to train adapters on, and audit them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from training.progress import bar

if TYPE_CHECKING:
    from training.gtsinger import Gathering
    from training.manifest import ClipEntry
    from training.studio import Kind

app = typer.Typer(name="corpus", no_args_is_help=True, pretty_exceptions_enable=False)

Work = Annotated[
    Path, typer.Option(help="Folder of a `choirmaster pretrain --corpus-only`, whose spoken lines are sung.")
]
Out = Annotated[Path, typer.Option(help="Folder for the corpus.")]
Clips = Annotated[int, typer.Option(min=1, max=99_999, help="Clips to make.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything drawn; the same seed gives the same corpus.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that sing.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a corpus that is in OUT already.")]

#: All recordings that were left out, by reason.
LEFT_OUT = "left-out.json"
#: Stands in a folder while a corpus is written there: the sounds are then ours to clear away.
UNFINISHED = ".unfinished"
#: Examples shown of each reason for which recordings were left out.
EXAMPLES = 2


@app.callback()
def corpus() -> None:
    """Make and audit corpora to train adapters on."""


@app.command()
def gtsinger(
    source: Annotated[Path, typer.Option(help="GTSinger as downloaded: the folder that holds English/EN-Alto-1/...")],
    out: Annotated[Path, typer.Option(help="Folder for the corpus; the one without words goes to OUT-nowords.")],
    language: Annotated[str, typer.Option(help="One of its language folders, or 'all'.")] = "English",
    words: Annotated[
        bool | None,
        typer.Option(
            "--words/--no-words", help="Only the corpus with, or only the one without words, in OUT; by default both."
        ),
    ] = None,
    join_to: Annotated[float, typer.Option(help="Join neighbouring recordings to clips of so many seconds.")] = 8.0,
    shortest: Annotated[
        float, typer.Option(help="Leave out clips shorter than so many seconds even when joined.")
    ] = 1.0,
    longest: Annotated[float, typer.Option(help="No recording or clip longer than so many seconds.")] = 20.0,
    replace: Replace = False,
) -> None:
    """Make a corpus of the singing in GTSinger (CC BY-NC-SA 4.0): with its words, and the same clips without."""
    from adapters.files import write_text_atomically
    from training import gtsinger as maker
    from training.manifest import read_corpus, write_corpus
    from training.wordless import rename, write_wordless

    folders = [out] if words is not None else [out, out.with_name(f"{out.name}-nowords")]
    for folder in folders:
        _refuse_existing(folder, replace)
    options = maker.JoinOptions(join_to=join_to, shortest=shortest, longest=longest)
    with bar("reading word records", None) as update:
        gathering = maker.gather(source, "" if language.lower() == "all" else language, options, update)
    about = rename(maker.ABOUT) if words is False else maker.ABOUT
    clips = maker.make_clips(gathering, options, words is not False)
    with _writing(out, "joining recordings", len(gathering.recordings)) as update:
        for _ in write_corpus(out, about, clips):
            update(gathering.seen, len(gathering.recordings))
    made = read_corpus(out)
    if words is None:
        with _writing(folders[1], "leaving out words", len(made.clips)) as update:
            for done, _ in enumerate(write_wordless(made, folders[1]), 1):
                update(done, len(made.clips))
    for folder in folders:
        _sweep(folder, {clip.audio for clip in made.clips})
    with _disk(out):
        write_text_atomically(out / LEFT_OUT, json.dumps(gathering.dropped, indent=1, ensure_ascii=False) + "\n")
    _report(gathering, made.clips)
    for folder in folders:
        typer.echo(f"the corpus {'without' if folder is not out or words is False else 'with'} words is in {folder}")
    typer.echo(f"every recording left out is listed in {out / LEFT_OUT}")
    typer.echo(f"see what it holds with `choirmaster corpus audit {out}`")


@app.command()
def sung(
    out: Out,
    work: Work = Path("work/tiny"),
    clips: Clips = 1600,
    seed: Seed = 11,
    workers: Workers = 2,
    replace: Replace = False,
) -> None:
    """Make a corpus of songs as the embedded model's own corpus draws them, some with missing or wrong lyrics."""
    _render("sung", out, work, clips, seed, workers, replace)


@app.command()
def genres(
    out: Out,
    only: Annotated[str, typer.Option(help="Genres such as hip-hop,celtic; by default all thirty.")] = "",
    work: Work = Path("work/tiny"),
    clips: Clips = 1600,
    seed: Seed = 11,
    workers: Workers = 2,
    replace: Replace = False,
) -> None:
    """Make a corpus of songs of chosen genres, words always right: for an adapter of what the model knows least."""
    from engine.genres import GENRES
    from training.manifest import CorpusError

    wanted = tuple(dict.fromkeys(filter(None, map(str.strip, only.split(","))))) or tuple(GENRES)
    if unknown := [name for name in wanted if name not in GENRES]:
        raise CorpusError(f"{unknown[0][:40]!r} is none of the genres: choose from {', '.join(GENRES)}")
    _render("genres", out, work, clips, seed, workers, replace, wanted)


@app.command()
def studio(
    out: Out,
    work: Work = Path("work/tiny"),
    clips: Clips = 1600,
    seed: Seed = 11,
    workers: Workers = 2,
    replace: Replace = False,
) -> None:
    """Make a corpus of clean a cappella takes: three singers, five techniques, three paces, words always right."""
    _render("studio", out, work, clips, seed, workers, replace)


@app.command("audit")
def audit_corpus(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the corpus.")],
    report: Annotated[Path | None, typer.Option("--json", help="Also write the findings to this file.")] = None,
    variant: Annotated[
        Literal["nolyrics", "lyrics", "nolyrics-asr", "lyrics-asr"] | None,
        typer.Option(help="Check whether this variant can be trained on it; exits with 2 where it cannot."),
    ] = None,
) -> None:
    """Measure a corpus: words, captions, durations, clipping, duplicates, missing and changed sounds."""
    from rich.console import Console

    from adapters.files import write_text_atomically
    from training.audit import audit, check_variant
    from training.audit_table import render
    from training.manifest import read_corpus

    found = read_corpus(folder)
    with bar("listening", len(found.clips)) as update:
        findings = audit(found, update)
    Console().print(render(findings))
    if report is not None:
        with _disk(report):
            write_text_atomically(report, json.dumps(findings.as_json(), indent=1, ensure_ascii=False) + "\n")
        typer.echo(f"the findings are in {report}")
    if variant is not None:
        for note in check_variant(findings, variant):
            typer.echo(note)
        typer.echo(f"{variant} can be trained on {folder}")


def _render(
    kind: Kind,
    out: Path,
    work: Path,
    clips: int,
    seed: int,
    workers: int,
    replace: bool,
    wanted: Sequence[str] = (),
) -> None:
    from training.manifest import CorpusError, read_corpus, write_corpus
    from training.studio import ALL, about, render_clips

    _refuse_existing(out, replace)
    # The codec is fitted once all lines are spoken, and half a bank would give another corpus.
    if not (work / "codec" / "config.json").is_file() or not any((work / "speech").glob("speech-*.npz")):
        raise CorpusError(
            f"{work} holds no spoken lines: make them with `choirmaster pretrain --work {work} --corpus-only`, or give "
            "the folder where that was done as --work"
        )
    rendered = render_clips(work / "speech", kind, clips, seed, min(workers, clips), wanted or ALL)
    with _writing(out, "singing", clips) as update:
        for done, _ in enumerate(write_corpus(out, about(kind, wanted or ALL), rendered), 1):
            update(done, clips)
    made = read_corpus(out)
    _sweep(out, {clip.audio for clip in made.clips})
    typer.echo(f"the corpus of {len(made.clips)} clips ({made.hours:.2f} h) is in {out}")
    typer.echo(f"see what it holds with `choirmaster corpus audit {out}`")


def _refuse_existing(folder: Path, replace: bool) -> None:
    from training.manifest import AUDIO, MANIFEST, CorpusError

    if (folder / MANIFEST).exists() and not replace:
        raise CorpusError(f"{folder} holds a corpus already: give another --out, or --replace to make it anew")
    # Sounds that no manifest lists are cleared away in the end, so they must be those of a run that was stopped.
    strange = not any((folder / name).exists() for name in (MANIFEST, UNFINISHED))
    if strange and any((folder / AUDIO).glob("*.flac")):
        raise CorpusError(f"{folder / AUDIO} holds sounds of no corpus, which would be deleted: give another --out")


@contextmanager
def _writing(folder: Path, title: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar around writing a corpus; when stopped, says in what state that leaves it."""
    from training.manifest import AUDIO

    try:
        with _disk(folder), bar(title, total) as update:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / UNFINISHED).touch()
            try:
                yield update
            finally:
                if not any((folder / AUDIO).glob("*.flac")):
                    (folder / UNFINISHED).unlink(missing_ok=True)
                    with suppress(OSError):  # fails where something else is in it
                        folder.rmdir()
            update(total, total)
    except KeyboardInterrupt:
        typer.echo(f"stopped; the manifest in {folder} was not touched: run the same command again", err=True)
        raise


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    from training.manifest import CorpusError

    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{path} cannot be written ({error.strerror or error}): free some space, or give another place"
        ) from error


def _sweep(folder: Path, listed: set[str]) -> None:
    """Remove the sounds of a corpus that was replaced, or of a run that was stopped."""
    from training.manifest import AUDIO

    for path in (folder / AUDIO).glob("*.flac"):
        if f"{AUDIO}/{path.name}" not in listed:
            path.unlink(missing_ok=True)
    (folder / UNFINISHED).unlink(missing_ok=True)


def _report(gathering: Gathering, clips: tuple[ClipEntry, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    hours = sum(clip.seconds for clip in clips) / 3600
    typer.echo(
        f"{gathering.found} recordings found, {gathering.found - gathering.lost} used in {len(clips)} clips "
        f"({hours:.2f} h), {gathering.lost} left out"
    )
    if not gathering.dropped:
        return
    table = Table("left out", "because", "such as", box=None)
    table.columns[2].overflow = "fold"
    for reason, files in sorted(gathering.dropped.items(), key=lambda item: -len(item[1])):
        table.add_row(str(len(files)), escape(reason), escape("\n".join(files[:EXAMPLES])))
    Console().print(table)
