"""The form: its fields, what is checked while one types, and prompts to begin with.

Knows how text and numbers become a request, with the same messages as the API. Knows nothing of songs already asked
for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from engine.errors import ChoirmasterError
from engine.genres import CaptionReading
from engine.lyrics import Lyrics, parse_lyrics
from engine.plan import Plan
from engine.request import SongRequest, read_request
from ui import modes
from ui.modes import Modes

#: In the order of ``Form.inputs``.
FIELDS = ("caption", "lyrics", "duration", "seed", "steps", "tempo", "melody_seed", "guidance")

Preview = Callable[[SongRequest], tuple[Plan | None, CaptionReading, float]]


@dataclass(frozen=True)
class Prompt:
    """A prompt to begin with."""

    name: str
    caption: str
    lyrics: str


PROMPTS = (
    Prompt(
        "Folk morning",
        "gentle folk song, warm male voice",
        "[verse]\nThe morning comes across the hill\nThe river runs, the wind is still\n"
        "I take the road beside the sea\nAnd every bird will sing with me",
    ),
    Prompt(
        "Pop night",
        "bright pop with a high female voice",
        "[chorus]\nWe can dance until the light\nHold my hand and stay tonight\nEvery star is here to see\n"
        "All the world for you and me",
    ),
    Prompt(
        "Slow lullaby",
        "slow soft lullaby",
        "Close your eyes, the day is done\nSleep until the morning sun\nI will keep you safe and warm\n"
        "Far away from every storm",
    ),
    Prompt(
        "Fast punk",
        "fast loud punk",
        "We will never go back home\nWe are running on our own\nTurn it up and let it go",
    ),
    Prompt("Blues, no words", "late night blues", ""),
)


@dataclass(frozen=True)
class Form:
    """The components of the form; ``inputs`` are the fields of a request in the order of ``FIELDS``."""

    inputs: tuple[Any, ...]
    line: gr.HTML
    dice: gr.Button
    prompts: tuple[gr.Button, ...]
    modes: Modes
    sing: gr.Button
    cancel: gr.Button


def build(default_steps: int, default_guidance: float) -> Form:
    """Lay out the form inside the current block."""
    caption = gr.Textbox(
        label="Style",
        info="What the song is like, in ordinary words.",
        placeholder="gentle folk song, warm male voice",
        lines=1,
        max_lines=1,
        elem_id="caption",
    )
    lyrics = gr.Textbox(
        label="Lyrics",
        info="English words, one sung line per line; [verse] and the like are allowed. Empty for an instrumental.",
        placeholder="The morning comes across the hill\nThe river runs, the wind is still",
        lines=7,
        max_lines=14,
        elem_id="lyrics",
    )
    line = gr.HTML(elem_id="planned", elem_classes="live")
    with gr.Row(elem_classes="prompts"):
        prompts = tuple(gr.Button(p.name, size="sm", variant="secondary", min_width=10) for p in PROMPTS)
    with gr.Row(elem_classes="numbers"):
        duration = _number("Seconds", "planned", elem_id="duration")
        steps = _number("Steps", str(default_steps), elem_id="steps")
        with gr.Group(elem_classes="seed"):
            seed = _number("Seed", "any", elem_id="seed")
            dice = gr.Button("New seed", size="sm", min_width=40, elem_id="dice")
    with gr.Accordion("Tempo, melody, guidance", open=False, elem_id="more"), gr.Row(elem_classes="numbers"):
        tempo = _number("Tempo", "by style", info="Beats per minute, instead of seconds.", elem_id="tempo")
        melody = _number("Melody seed", "as seed", info="Another tune, same voice.", elem_id="melody")
        guidance = _number("Guidance", f"{default_guidance:g}", info="1 is none.", elem_id="guidance")
    choice = modes.build()
    with gr.Row(elem_classes="actions"):
        sing = gr.Button("Sing", variant="primary", size="lg", scale=3, min_width=120, elem_id="sing")
        cancel = gr.Button("Cancel", size="lg", scale=1, min_width=90, interactive=False, elem_id="cancel")
    fields = (caption, lyrics, duration, seed, steps, tempo, melody, guidance)
    return Form(fields, line, dice, prompts, choice, sing, cancel)


def _number(label: str, placeholder: str, **more: Any) -> gr.Textbox:
    """A field for a number. Plain text: whatever is typed stays, and what is wrong with it is said in our own words."""
    return gr.Textbox(
        label=label, placeholder=placeholder, lines=1, max_lines=1, min_width=84, elem_classes="number", **more
    )


def read_form(values: tuple[Any, ...]) -> SongRequest:
    """The request a form stands for; empty numbers are left to the plan and the preset.

    Raises:
        RequestError: as for the API.
    """
    caption, lyrics, *numbers = (value or "" for value in values)
    given = {name: str(n).strip() for name, n in zip(FIELDS[2:], numbers, strict=True) if str(n).strip()}
    return read_request({"caption": caption, "lyrics": lyrics, **given})


def show_form(request: dict[str, Any]) -> list[str]:
    """The fields of a form that stands for a stored request."""
    return [str(request.get(name, "")) for name in FIELDS]


def new_seed() -> str:
    return str(secrets.randbelow(2**31))


def live_line(preview: Preview, values: tuple[Any, ...]) -> str:
    """What the form would give, in one line of HTML, or what is wrong with it."""
    seed = FIELDS.index("seed")
    try:
        # Without a seed every look would draw another tempo.
        request = read_form((*values[:seed], values[seed] or "0", *values[seed + 1 :]))
        _, reading, seconds = preview(request)
    except ChoirmasterError as error:
        return complaint(str(error))
    return (
        f'<p class="planned"><strong>{escape(count(parse_lyrics(request.lyrics)))}</strong>, '
        f"about {seconds:.1f} s planned · {read_as(reading, request.caption)}</p>"
    )


def count(lyrics: Lyrics) -> str:
    """ "4 lines, 27 syllables", or that it is an instrumental."""
    if not lyrics.lines:
        return "instrumental"
    return f"{_plural(len(lyrics.lines), 'line')}, {_plural(lyrics.syllables, 'syllable')}"


def read_as(reading: CaptionReading, caption: str) -> str:
    """How a caption was understood, as HTML; every name in it is our own."""
    how = ", ".join(part for part in (reading.tempo, f"{reading.voice} voice") if part)
    if reading.known:
        return f'read as <span class="chip">{escape(reading.genre)}</span> {escape(how)}'
    why = "no genre recognised in the style" if caption.strip() else "no style given"
    return f'{why}, so planned as <span class="chip">{escape(reading.genre)}</span> {escape(how)}'


def complaint(message: str) -> str:
    """An error, as HTML."""
    plain = message.encode("utf-8", "replace").decode()
    shown = plain if len(plain) <= 600 else plain[:599] + "…"
    return f'<p class="complaint" role="alert"><span aria-hidden="true">!</span> {escape(shown)}</p>'


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
