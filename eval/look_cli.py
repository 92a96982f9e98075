"""The verb ``eval attention``: one song under several compositions, its attention as table, pictures and NPZ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapters.places import SHELF, TINY_MODEL
from eval.prompts import TEST

if TYPE_CHECKING:
    from eval.prompts import Prompt

#: What a song is called whose lyrics were typed.
_TYPED = "typed"


def attention(
    prompt: Annotated[str, typer.Option(help="Id of the prompt to sing.")] = "",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the noise all compositions start from.")] = 42,
    prompts: Annotated[Path, typer.Option(help="JSONL file the prompt is in; by default the test set.")] = TEST,
    caption: Annotated[str, typer.Option(help="With --lyrics instead of --prompt: description of the music.")] = "",
    lyrics: Annotated[str, typer.Option(help="Words to sing instead of a prompt's.")] = "",
    compositions: Annotated[
        str, typer.Option(help="Such as base,lyrics or base,lyrics=0.6+nolyrics=0.4; by default base and the shelf.")
    ] = "",
    model: Annotated[str, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")] = "",
    shelf: Annotated[Path, typer.Option(help="Folder of adapters.")] = SHELF,
    steps: Annotated[int | None, typer.Option(min=1, max=200, help="Denoising steps; by default the preset's.")] = None,
    logarithmic: Annotated[
        bool, typer.Option("--logarithmic", help="Colours by logarithm, to see faint maps.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the NPZ and the pictures.")] = Path("outputs/attention"),
) -> None:
    """Show what every attention head does, composition beside composition, in one song from the same noise."""
    from adapters.store import AdapterStore
    from engine.request import read_request
    from eval.compositions import parse_compositions
    from eval.look import LookError, look_at, look_table, write_look
    from eval.prompts import read_prompts

    if bool(prompt) == bool(lyrics):
        both = "--prompt and --lyrics were both given" if prompt else "neither --prompt nor --lyrics was given"
        raise LookError(f"{both}: give the id of a prompt, or lyrics (and a caption) of your own")
    if prompt and caption:
        raise LookError(f"the prompt {prompt!r} has a caption of its own: leave --caption out, or give --lyrics too")
    if prompt:
        found = find_prompt(read_prompts(prompts), prompt, prompts)
        caption, lyrics = found.caption, found.lyrics
    store = AdapterStore(shelf)
    asked = parse_compositions(compositions) if compositions else ({}, *({name: 1.0} for name in store.names()))
    request = read_request({"caption": caption, "lyrics": lyrics, "seed": seed, "steps": steps})
    for adapter in sorted({adapter for composition in asked for adapter in composition}):
        store.card(adapter)  # before a model is loaded for nothing

    from rich.console import Console

    from engine.singer import Singer
    from engine.song_model import load_song_model

    progress, output = Console(stderr=True), Console()
    if not output.is_terminal:  # a table for a file should not be folded to eighty columns
        output = Console(width=200)
    singer = Singer(load_song_model(model or str(TINY_MODEL)), store)
    name = prompt or _TYPED
    with progress.status(f"singing {name}") as status:
        look = look_at(singer, request, asked, name, lambda composition: status.update(f"{composition} sang {name}"))
        written = write_look(look, out, logarithmic)
    output.print(look_table(look), markup=False)
    for path in written:
        progress.print(str(path), markup=False, soft_wrap=True)


def find_prompt(prompts: tuple[Prompt, ...], wanted: str, path: Path) -> Prompt:
    """The prompt of an id.

    Raises:
        LookError: there is none; names the nearest ids.
    """
    from difflib import get_close_matches

    from eval.look import LookError

    ids = {prompt.id: prompt for prompt in prompts}
    if wanted in ids:
        return ids[wanted]
    near = get_close_matches(wanted, ids, n=3, cutoff=0.4) or list(ids)[:3]
    raise LookError(f"there is no prompt {wanted[:60]!r} among the {len(ids)} of {path}: nearest are {', '.join(near)}")
