"""The form: its fields, what is checked while one types, and prompts to begin with.

Knows how text and numbers become a request, with the same messages as the API. Knows nothing of songs already asked
for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from engine.genres import CaptionReading
from engine.lyrics import Lyrics, parse_lyrics
from engine.plan import Plan
from engine.request import SongRequest, read_request
from ui import modes
from ui.examples import QUICK_PROMPTS, genre_examples
from ui.field_faults import Slots
from ui.hints import hinted
from ui.modes import Modes
from ui.number_fields import make_number, mark
from ui.tags import add_tags, offered_tags

#: In the order of ``Form.inputs``.
FIELDS = ("caption", "lyrics", "duration", "seed", "steps", "tempo", "melody_seed", "guidance", "tags", "watch")
#: Of ``FIELDS``, those for numbers, and those below the fold.
_NUMBERS, FOLDED = FIELDS[2:8], FIELDS[5:8]
#: What is watched while a song is sung.
WATCHED = (("Heads that follow the words", "words"), ("All heads", "all"), ("Nothing", "nothing"))
#: Lines of which the syllables are told one by one.
_LINES_TOLD = 16

Preview = Callable[[SongRequest], tuple[Plan | None, CaptionReading, float]]
Heads = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Form:
    """The components of the form; ``inputs`` are the fields of a request in the order of ``FIELDS``."""

    inputs: tuple[Any, ...]
    line: gr.HTML
    dice: gr.Button
    prompts: tuple[gr.Button, ...]
    example: gr.Dropdown
    more: gr.Accordion
    modes: Modes
    slots: Slots
    sing: gr.Button
    cancel: gr.Button


def build(default_steps: int, default_guidance: float) -> Form:
    """Lay out the form inside the current block."""
    slots = Slots()
    caption = gr.Textbox(
        label="Style",
        info="What the song is like, in ordinary words.",
        placeholder="gentle folk song, warm male voice",
        lines=1,
        max_lines=1,
        elem_id="caption",
    )
    slots.add("caption", "caption")
    tags = gr.Dropdown(
        list(offered_tags()),
        label="Tags",
        info="Added to the style. Pick some, or type your own and press Enter.",
        multiselect=True,
        allow_custom_value=True,
        elem_id="tags",
    )
    lyrics = gr.Textbox(
        label="Lyrics",
        info="English words, one sung line per line. Empty for an instrumental.",
        placeholder="The morning comes across the hill\nThe river runs, the wind is still",
        lines=7,
        max_lines=14,
        elem_id="lyrics",
    )
    slots.add("lyrics", "lyrics")
    gr.HTML(
        f'<div role="group" aria-label="Insert a section"><span>Insert</span>{_SECTIONS}</div>',
        elem_id="sections",
    )
    line = gr.HTML(elem_id="planned", elem_classes="live")
    with gr.Row(elem_classes="prompts"):
        prompts = tuple(gr.Button(p.name, size="sm", variant="secondary", min_width=10) for p in QUICK_PROMPTS)
        example = gr.Dropdown(
            list(genre_examples()), value=None, label="Example of a genre", min_width=150, elem_id="example"
        )
    with gr.Row(elem_classes="numbers"):
        duration = _number(slots, "duration", "Seconds", "planned")
        steps = _number(slots, "steps", "Steps", str(default_steps))
        with gr.Column(elem_classes="field seed", min_width=170, scale=2):
            with gr.Row(elem_classes="diced"):
                seed = make_number("Seed", "any", "seed")
                dice = gr.Button("New seed", size="sm", min_width=40, scale=0, elem_id="dice")
            mark("seed")
            slots.add("seed", "seed")
    with gr.Accordion("Tempo, melody, guidance, attention", open=False, elem_id="more") as more:
        with gr.Row(elem_classes="numbers"):
            tempo = _number(slots, "tempo", "Tempo", "by style", info="Beats per minute.")
            melody = _number(slots, "melody_seed", "Melody seed", "as seed", info="Another tune.")
            guidance = _number(slots, "guidance", "Guidance", f"{default_guidance:g}", info="1 is none.")
        watch = gr.Radio(
            list(WATCHED),
            value="words",
            label="Watch",
            info="What is shown of its attention. Without any, words have no times.",
            elem_id="watch",
        )
    choice = modes.build(slots)
    with gr.Row(elem_classes="actions"):
        sing = gr.Button("Sing", variant="primary", size="lg", scale=3, min_width=120, elem_id="sing")
        cancel = gr.Button("Cancel", size="lg", scale=1, min_width=90, interactive=False, elem_id="cancel")
    fields = (caption, lyrics, duration, seed, steps, tempo, melody, guidance, tags, watch)
    return Form(fields, line, dice, prompts, example, more, choice, slots, sing, cancel)


_SECTIONS = "".join(
    f'<button type="button" class="button" data-insert="[{name}]">[{name}]</button>'
    for name in ("verse", "chorus", "bridge")
)


def _number(slots: Slots, field: str, label: str, placeholder: str, **more: Any) -> gr.Textbox:
    """A field for a number with what it means, and the place of what is wrong with it."""
    with gr.Column(elem_classes="field", min_width=96):
        made = make_number(label, placeholder, field.removesuffix("_seed"), **more)
        mark(field)
        slots.add(field, field.removesuffix("_seed"))
    return made


def read_form(values: tuple[Any, ...], heads: Heads = ()) -> SongRequest:
    """The request a form stands for; empty numbers are left to the plan and the preset. ``heads``: all of the model.

    Raises:
        RequestError: as for the API.
    """
    given = dict(zip(FIELDS, values, strict=True))
    caption = add_tags(str(given["caption"] or ""), given["tags"] or ())
    numbers = {name: str(given[name] or "").strip() for name in _NUMBERS}
    return read_request({
        # A caption as typed, unless something is added.
        "caption": caption if given["tags"] else given["caption"] or "",
        "lyrics": given["lyrics"] or "",
        **{name: text for name, text in numbers.items() if text},
        **_wish(given["watch"], heads),
    })  # fmt: skip


def _wish(watch: object, heads: Heads) -> dict[str, Any]:
    if watch == "nothing":
        return {"attention": None}
    every = {"heads": list(heads)} if watch == "all" and heads else {}
    return {"attention": {**every, "steps": "all"}}


def show_form(request: dict[str, Any]) -> list[Any]:
    """The fields of a form that stands for a stored request; its tags are in the caption already."""
    wish = request.get("attention", {})
    watch = "nothing" if wish is None else "all" if isinstance(wish, dict) and wish.get("heads") else "words"
    return [*(str(request.get(name, "")) for name in FIELDS[:-2]), [], watch]


#: In the browser: a seed for a form that has none, and another one.
PROPOSE_SEED = "(seed) => [window.choirmaster.proposeSeed(seed)]"
NEW_SEED = "() => [window.choirmaster.proposeSeed('')]"


def with_steady_seed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values to look at while one types: without a seed every look would draw another tempo."""
    seed = FIELDS.index("seed")
    return (*values[:seed], values[seed] or "0", *values[seed + 1 :])


def live_line(preview: Preview, request: SongRequest) -> str:
    """What a request would give, in a line or two of HTML.

    Raises:
        RequestError: it cannot be sung.
    """
    _, reading, seconds = preview(request)
    lyrics = parse_lyrics(request.lyrics)
    each = [str(line.syllables) for line in lyrics.lines[:_LINES_TOLD]]
    more = " …" if len(lyrics.lines) > _LINES_TOLD else ""
    by_line = f'<span class="by-line">{" · ".join(each)}{more} by line</span>' if len(each) > 1 else ""
    return (
        f'<p class="planned"><strong>{hinted(escape(count(lyrics)), "syllables")}</strong>, '
        f"about {hinted(f'{seconds:.1f} s', 'duration')} planned · {read_as(reading, request.caption)} {by_line}</p>"
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
