"""The ``sing`` verb: one song from the command line to a file, by adapters that are named, routed, or tried in turn.

Knows the options and the files that are written; ``ui.tries`` routes and tries.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapters.places import SHELF
from engine.errors import RequestError, SongError

if TYPE_CHECKING:
    from rich.console import Console

    from engine.song import Song

_FORMS = ("flac", "wav", "ogg", "mp3")
#: Options that say nothing in another mode.
_OF_CASCADES = ("budget", "stop_wer", "retry", "takes", "judge")


def sing(
    caption: Annotated[str, typer.Option(help="What the song is like, in ordinary words.")] = "",
    lyrics: Annotated[
        str | None, typer.Option(help="The words; lines parted by \\n, [verse] and the like allowed.")
    ] = None,
    lyrics_file: Annotated[str | None, typer.Option(help="Read the words from a file, - for standard input.")] = None,
    out: Annotated[Path, typer.Option(help="Sound file to write: .flac, .wav, .ogg or .mp3.")] = Path("song.flac"),
    seed: Annotated[int | None, typer.Option(help="The same seed and request give the same song.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds; by default planned from the words.")] = None,
    tempo: Annotated[float | None, typer.Option(help="Beats per minute.")] = None,
    melody_seed: Annotated[int | None, typer.Option(help="Another melody and rhythm for the same voice.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely to follow words and caption; 1 is none.")] = None,
    composition: Annotated[
        str, typer.Option(help="Adapters to sing with, such as lyrics=0.6,nolyrics=0.4; by default the base model.")
    ] = "",
    shelf: Annotated[Path, typer.Option(help="Folder of adapters.")] = SHELF,
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Write the plan (notes and word timings) beside the song.")
    ] = False,
    lrc: Annotated[
        bool, typer.Option("--lrc", help="Write when each line and word is sung beside the song, for karaoke.")
    ] = False,
    mode: Annotated[
        Literal["single", "routed", "cascade"],
        typer.Option(help="single: by --composition; routed: the router chooses; cascade: try until the words come."),
    ] = "single",
    router: Annotated[
        Path | None, typer.Option(help="Fitted router; by default router.json in the model's folder.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Cascade: songs to sing at most, by default 3.")] = None,
    stop_wer: Annotated[
        float | None, typer.Option(help="Cascade: a word error rate that is good enough, by default 0.2.")
    ] = None,
    retry: Annotated[
        Literal["adapters", "seeds", "both"] | None, typer.Option(help="Cascade: what another take changes.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="Cascade: who listens: base, none, or any Whisper by name or folder.")
    ] = None,
    takes: Annotated[
        Path | None, typer.Option(help="Cascade: folder for all takes; by default only the best is kept.")
    ] = None,
) -> None:
    """Sing a song and write it to a file."""
    from engine.request import read_request

    form = out.suffix.lower().lstrip(".")
    if form not in _FORMS:
        raise RequestError(f"--out {out} is no sound file name: end it in .flac, .wav, .ogg or .mp3")
    if lyrics is not None and lyrics_file is not None:
        raise RequestError("--lyrics and --lyrics-file contradict each other: give one of them")
    given = {"budget": budget, "stop_wer": stop_wer, "retry": retry, "takes": takes, "judge": judge, "router": router}
    _check_mode(mode, composition, given)
    fields: dict[str, Any] = {
        "caption": caption,
        "lyrics": _read_lyrics(lyrics_file) if lyrics_file is not None else (lyrics or "").replace("\\n", "\n"),
        "duration": duration,
        "tempo": tempo,
        "melody_seed": melody_seed,
        "steps": steps,
        "guidance": guidance,
        "composition": composition,
    }
    if seed is not None:
        fields["seed"] = seed
    request = read_request(fields)

    from adapters.store import AdapterStore
    from engine.errors import UnknownAdapter

    store = AdapterStore(shelf)
    for name in request.composition:  # before a model is loaded
        if name not in (there := store.names()):
            raise UnknownAdapter(name, there)

    from rich.console import Console

    from adapters.places import TINY_MODEL
    from ui.tries import Tries, ask_router, say_decision, sing_one, try_all

    console = Console(stderr=True)
    folder = model or str(TINY_MODEL)
    asked = {name: given[name] for name in ("budget", "stop_wer", "retry") if given[name] is not None}
    tries, interrupted, decision = Tries.read(asked, judge or "base"), False, None
    if takes is not None:  # before anything is loaded
        _prepare_folder(takes)
    if mode != "single":
        decision = ask_router(router, folder, request, store)
        say_decision(console, decision)
    if decision is not None and mode == "cascade":

        def keep(name: str, sung: Song) -> None:
            if takes is not None:
                _write(takes / f"{name}{out.suffix}", sung, False, "--takes")

        ended = try_all(console, folder, store, request, decision, tries, keep)
        if ended.song is None and ended.interrupted:
            raise typer.Exit(130)  # why was told with the takes
        if ended.song is None:
            raise SongError(ended.reason)
        song, interrupted = ended.song, ended.interrupted
    else:
        if decision is not None:
            request = request.sung_by(decision.composition)
        song = sing_one(console, folder, store, request)
    _write(out, song, plan)
    _write_karaoke(out, song, lrc, console)
    if not song.reading.known and caption.strip():
        console.print(f"no genre was recognised in the caption, so the song was planned as {song.reading.genre}")
    console.print(f"{out}: {song.seconds:.1f} s, seed {song.request.seed}, sung in {sum(song.spent.values()):.1f} s")
    if interrupted:
        raise typer.Exit(130)


def _check_mode(mode: str, composition: str, given: dict[str, Any]) -> None:
    """Refuse options that say nothing in this mode, rather than pass over them."""
    if mode != "single" and composition:
        raise RequestError(f"--composition and --mode {mode} contradict each other: the router chooses, leave one out")
    for name in (*(_OF_CASCADES if mode != "cascade" else ()), *(("router",) if mode == "single" else ())):
        if given[name] is not None:
            needed = "routed or cascade" if name == "router" else "cascade"
            raise RequestError(f"--{name.replace('_', '-')} says nothing with --mode {mode}: give --mode {needed}")


def _write(out: Path, song: Song, plan: bool, option: str = "--out") -> None:
    from adapters.files import write_bytes_atomically, write_text_atomically
    from engine.songs import audio_bytes

    try:
        write_bytes_atomically(out, audio_bytes(song.audio, song.sampling_rate, out.suffix.lower().lstrip(".")))
        if plan and song.plan is not None:
            write_text_atomically(out.with_suffix(".plan.json"), song.plan.model_dump_json(indent=1))
    except OSError as error:
        raise _cannot_write(out, error, option) from error


def _prepare_folder(folder: Path) -> None:
    """Make the folder of the takes, and see that it can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(folder, error, "--takes") from error


def _write_karaoke(out: Path, song: Song, wanted: bool, console: Console) -> None:
    from adapters.files import write_text_atomically

    if not wanted:
        return
    if song.karaoke is None or not song.karaoke.lines:
        why = "the model names no heads that follow the words" if song.karaoke is None else song.karaoke.reason
        console.print(f"no .lrc was written: {why}")
        return
    try:
        write_text_atomically(out.with_suffix(".lrc"), song.karaoke.to_enhanced_lrc())
    except OSError as error:
        raise _cannot_write(out, error, "--out") from error


def _cannot_write(out: Path, error: OSError, option: str) -> SongError:
    return SongError(f"{out} cannot be written ({error.strerror or error}): choose another place with {option}")


def _read_lyrics(where: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if where == "-" else Path(where).read_bytes()
    except OSError as error:
        raise RequestError(f"--lyrics-file {where} cannot be read: {error.strerror or error}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"--lyrics-file {where} is not text in UTF-8: save it as UTF-8 and try again") from None
