"""The form of a comparison: one prompt, and by what it is to be sung.

Knows how its fields become the requests of a comparison, with the same sentences as the API, and which field is to
blame for what is wrong. Knows no songs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from adapters.composition import format_composition
from engine.errors import Fault, RequestError, UnknownAdapter
from engine.request import SongRequest, read_request
from ui.choices import name_composition
from ui.comparing import ROUTED, Wanted, check_different, read_composition
from ui.number_fields import make_number, mark
from ui.songs import MAX_COMPARED

#: Of the prompt, in the order of ``CompareForm.inputs``; after them come the compositions ticked and the blends.
PROMPT = ("caption", "lyrics", "seed", "steps", "duration", "tempo", "melody_seed", "guidance")
FIELDS = (*PROMPT, "compositions", "blends")
#: Where what is wrong is told; ``other`` is what no field is to blame for.
SLOTS = (*FIELDS, "other")
BASE = "base"
_TITLES = {BASE: "Base model", ROUTED: "Routed"}


@dataclass(frozen=True)
class CompareForm:
    """The components; ``inputs`` in the order of ``FIELDS``, ``slots`` in that of ``SLOTS``."""

    inputs: tuple[Any, ...]
    slots: tuple[gr.HTML, ...]
    dice: gr.Button
    more: gr.Accordion
    blind: gr.Checkbox
    sing: gr.Button
    cancel: gr.Button


def build(default_steps: int, default_guidance: float) -> CompareForm:
    """Lay out the form inside the current block."""
    fields: dict[str, Any] = {}
    slots: dict[str, gr.HTML] = {}

    def slot(name: str) -> None:
        slots[name] = gr.HTML(_slot(name), elem_id=f"compare-{name}-slot", elem_classes="slot")

    def number(name: str, label: str, placeholder: str) -> None:
        with gr.Column(min_width=84, elem_classes="field"):
            fields[name] = make_number(label, placeholder, f"compare-{name}")
            mark(name)

    with gr.Row(equal_height=False, elem_classes="compare-columns"):
        with gr.Column(scale=5, min_width=280):
            fields["caption"] = gr.Textbox(
                label="Style",
                info="What the song is like, in ordinary words.",
                placeholder="gentle folk song, warm male voice",
                lines=1,
                max_lines=1,
                elem_id="compare-caption",
            )
            slot("caption")
            fields["lyrics"] = gr.Textbox(
                label="Lyrics",
                info="English words, one sung line per line. The same for every song.",
                placeholder="The morning comes across the hill\nThe river runs, the wind is still",
                lines=5,
                max_lines=14,
                elem_id="compare-lyrics",
            )
            slot("lyrics")
            with gr.Row(elem_classes="compare-numbers"):
                number("duration", "Seconds", "planned")
                number("steps", "Steps", str(default_steps))
                number("seed", "Seed", "any")
                dice = gr.Button("New seed", size="sm", min_width=90, elem_id="compare-dice")
            for name in ("duration", "steps", "seed"):  # below the row: a sentence needs its width
                slot(name)
            gr.HTML('<p class="faint">All songs grow from the same noise, that of one seed.</p>')
            more = gr.Accordion("Tempo, melody, guidance", open=False, elem_id="compare-more")
            with more:
                with gr.Row(elem_classes="compare-numbers"):
                    number("tempo", "Tempo", "by style")
                    number("melody_seed", "Melody seed", "as seed")
                    number("guidance", "Guidance", f"{default_guidance:g}")
                for name in ("tempo", "melody_seed", "guidance"):
                    slot(name)
        with gr.Column(scale=4, min_width=280):
            fields["compositions"] = gr.CheckboxGroup(
                choices=[(_TITLES[BASE], BASE)],
                value=[BASE],
                label="Sung by",
                info=f"Each at weight 1. At most {MAX_COMPARED} songs, blends included.",
                elem_id="compare-compositions",
            )
            slot("compositions")
            fields["blends"] = gr.Textbox(
                label="Blends and other weights",
                info="One per line: adapters and how strongly each is added.",
                placeholder="lyrics=0.6,nolyrics=0.4",
                lines=2,
                max_lines=MAX_COMPARED,
                elem_id="compare-blends",
            )
            slot("blends")
            blind = gr.Checkbox(
                False,
                label="Listen blind",
                info="Letters instead of names, in an order that tells nothing, until you have picked the best.",
                elem_id="compare-blind",
            )
            slot("other")
            with gr.Row(elem_classes="actions"):
                sing = gr.Button(
                    "Sing all", variant="primary", size="lg", scale=3, min_width=120, elem_id="compare-sing"
                )
                cancel = gr.Button(
                    "Cancel", size="lg", scale=1, min_width=90, interactive=False, elem_id="compare-cancel"
                )
    inputs = tuple(fields[name] for name in FIELDS)
    return CompareForm(inputs, tuple(slots[name] for name in SLOTS), dice, more, blind, sing, cancel)


def offer(adapters: Sequence[str], routed: bool) -> list[tuple[str, str]]:
    """What can be ticked: the base model, each adapter, and the router's choice where there is one to ask."""
    names = [BASE, *adapters, *([ROUTED] if routed else [])]
    return [(_TITLES.get(name, name), name) for name in names]


def read_compared(values: Sequence[Any]) -> tuple[list[SongRequest], int | None]:
    """The requests that the fields stand for, which differ in their composition alone, and the place of the one that
    the router chooses for.

    Raises:
        RequestError: its faults are of ``SLOTS``; all of them are told at once.
    """
    prompt = dict(zip(FIELDS, values, strict=True))
    ticked, blends = prompt.pop("compositions") or [], str(prompt.pop("blends") or "")
    faults: list[Fault] = []
    try:
        numbers = {name: str(prompt[name] or "").strip() for name in PROMPT[2:]}
        request = read_request({
            "caption": prompt["caption"] or "",
            "lyrics": prompt["lyrics"] or "",
            **{name: value for name, value in numbers.items() if value},
            "attention": {"steps": "all"},
        })  # fmt: skip
    except RequestError as error:
        faults += error.faults or [Fault("other", str(error))]
    compared: list[Wanted] = []
    try:
        compared = _read_compositions(ticked, blends)
    except RequestError as error:
        faults += error.faults
    if faults:
        raise RequestError.of(faults)
    routed = compared.index(ROUTED) if ROUTED in compared else None
    return [request if one == ROUTED else request.sung_by(one) for one in compared], routed


def _read_compositions(ticked: Sequence[str], blends: str) -> list[Wanted]:
    typed = [line.strip() for line in blends.splitlines() if line.strip()]
    number = len(ticked) + len(typed)
    if number == 0:
        raise RequestError.of([Fault("compositions", "nothing sings: tick one at least, better two, or type a blend")])
    if number > MAX_COMPARED:
        said = f"{number} songs are asked for, and at most {MAX_COMPARED} are compared: take some away"
        raise RequestError.of([Fault("compositions", said)])
    compared = [read_composition(name, place) for place, name in enumerate(ticked, 1)]
    compared += [read_composition(line, place, "blends") for place, line in enumerate(typed, 1)]
    check_different(compared, "blends")  # two ticks are never the same
    return compared


def show_request(request: Mapping[str, Any]) -> list[str]:
    """The fields of the prompt of a stored request."""
    return [str(request.get(name, "")) for name in PROMPT]


def show_compositions(
    requests: Sequence[Mapping[str, Any]], offered: Sequence[tuple[str, str]]
) -> tuple[list[str], str]:
    """What is ticked, and the lines of blends, for stored requests to be sung again."""
    names = [name_composition(request) for request in requests]
    by_name = {BASE if name == BASE else format_composition({name: 1.0}): name for _, name in offered if name != ROUTED}
    ticked = [by_name[name] for name in names if name in by_name]
    return list(dict.fromkeys(ticked)), "\n".join(dict.fromkeys(name for name in names if name not in by_name))


def show_faults(error: Exception, values: Sequence[Any] = ()) -> list[str]:
    """HTML for each of ``SLOTS``: what is wrong beside the field to blame. ``values``: what the fields held."""
    faults = list(getattr(error, "faults", ())) or [Fault("other", str(error))]
    if isinstance(error, UnknownAdapter):
        ticked = values[FIELDS.index("compositions")] if values else ()
        faults = [Fault("compositions" if error.name in (ticked or ()) else "blends", str(error))]
    told: dict[str, list[str]] = {}
    for fault in faults:
        slot = "compositions" if fault.field == "composition" else fault.field
        if slot in SLOTS:
            told.setdefault(slot, []).append(fault.message)
        else:
            told.setdefault("other", []).append(fault.told)
    return [_slot(name, told.get(name, ())) for name in SLOTS]


def show_no_faults() -> list[str]:
    """HTML for each of ``SLOTS`` where nothing is wrong."""
    return [_slot(name) for name in SLOTS]


def _slot(name: str, messages: Sequence[str] = ()) -> str:
    """What is wrong with a field; ``browser/faults.js`` marks the input that it is about."""
    plain = " ".join(map(_sentence, messages)).encode("utf-8", "replace").decode()
    shown = escape(plain if len(plain) <= 600 else plain[:599] + "…")
    told = shown and f'<p class="fault" id="compare-{name}-fault" role="alert">{shown}</p>'
    return f'<span data-for="compare-{name}">{told}</span>'


def _sentence(said: str) -> str:
    return said if said.endswith((".", "!", "?")) else f"{said}."
