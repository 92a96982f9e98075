"""The ``sing`` verb: one song from the command line to a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.places import SHELF
from engine.errors import RequestError, SongError


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
) -> None:
    """Sing a song and write it to a file."""
    from engine.request import read_request

    form = out.suffix.lower().lstrip(".")
    if form not in ("flac", "wav", "ogg", "mp3"):
        raise RequestError(f"--out {out} is no sound file name: end it in .flac, .wav, .ogg or .mp3")
    if lyrics is not None and lyrics_file is not None:
        raise RequestError("--lyrics and --lyrics-file contradict each other: give one of them")
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
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from adapters.files import write_bytes_atomically, write_text_atomically
    from adapters.places import TINY_MODEL
    from engine.singer import Singer
    from engine.song_model import load_song_model
    from engine.songs import audio_bytes

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("loading the model", total=None)
        singer = Singer(load_song_model(model or TINY_MODEL), store)
        song = singer.sing(
            request, lambda step: bar.update(task, description="singing", completed=step.done, total=step.of)
        )
    try:
        write_bytes_atomically(out, audio_bytes(song.audio, song.sampling_rate, form))
        if plan and song.plan is not None:
            write_text_atomically(out.with_suffix(".plan.json"), song.plan.model_dump_json(indent=1))
        if lrc and song.karaoke is not None and song.karaoke.lines:
            write_text_atomically(out.with_suffix(".lrc"), song.karaoke.to_enhanced_lrc())
    except OSError as error:
        raise SongError(
            f"{out} cannot be written ({error.strerror or error}): choose another place with --out"
        ) from error
    if lrc and (song.karaoke is None or not song.karaoke.lines):
        why = "the model names no heads that follow the words" if song.karaoke is None else song.karaoke.reason
        console.print(f"no .lrc was written: {why}")
    if not song.reading.known and caption.strip():
        console.print(f"no genre was recognised in the caption, so the song was planned as {song.reading.genre}")
    console.print(f"{out}: {song.seconds:.1f} s, seed {request.seed}, sung in {sum(song.spent.values()):.1f} s")


def _read_lyrics(where: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if where == "-" else Path(where).read_bytes()
    except OSError as error:
        raise RequestError(f"--lyrics-file {where} cannot be read: {error.strerror or error}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"--lyrics-file {where} is not text in UTF-8: save it as UTF-8 and try again") from None
