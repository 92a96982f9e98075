"""What a song is to be sung with: the base model, one adapter, a blend, what the router says, or several tries.

Knows how its fields become a composition or the settings of a cascade, with the same messages as the API. Knows no
router.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr
from pydantic import BaseModel, Field, ValidationError

from adapters.composition import parse_composition
from adapters.errors import AdapterError
from engine.errors import Fault, RequestError
from engine.request import find_faults
from router.cascade import BUDGET, STOP_WER
from router.retries import RETRY
from ui.blends import Shelved, show_sliders, singable
from ui.choices import Choice, name_composition
from ui.field_faults import Slots
from ui.number_fields import make_number, mark
from ui.takes import CascadeOptions

Mode = Literal["base", "single", "blend", "routed", "cascade"]
#: In the order of ``Modes.inputs``.
FIELDS = ("mode", "composition", "budget", "stop_wer", "retry", "single")

CHOICES: tuple[tuple[str, Mode], ...] = (
    ("Base model", "base"),
    ("Single adapter", "single"),
    ("Blend", "blend"),
    ("Routed", "routed"),
    ("Cascade", "cascade"),
)
RETRIES = (("Other noise", "seeds"), ("Another adapter", "adapters"), ("Another adapter, other noise", "both"))
_ABOUT = {
    "routed": "The router chooses by the style and the words.",
    "cascade": "Sings, listens, and tries again until the words come through. The best take is kept; all are listed.",
}
_KNOWS = '<p><a href="/v1/router/report" target="_blank" rel="noopener">What the router knows</a></p>'


@dataclass(frozen=True)
class Modes:
    """The components; ``inputs`` in the order of ``FIELDS``, ``groups`` by what shows and hides them."""

    inputs: tuple[Any, ...]
    about: gr.HTML
    one: gr.Group
    blend: gr.Group
    sliders: gr.HTML
    tries: gr.Row
    preview: gr.HTML
    knows: gr.HTML

    @property
    def groups(self) -> list[Any]:
        """What :func:`show_fields` updates."""
        return [self.about, self.one, self.blend, self.tries]

    @property
    def shelf(self) -> list[Any]:
        """What :func:`show_shelf` updates."""
        return [self.inputs[FIELDS.index("single")], self.sliders]


@dataclass(frozen=True)
class Wanted:
    """What the fields say; ``options`` is there for a cascade."""

    mode: Mode
    composition: dict[str, float]
    options: CascadeOptions | None = None


class _Percent(BaseModel):
    stop_wer: float = Field(ge=0, le=100, allow_inf_nan=False)


def build(slots: Slots) -> Modes:
    """Lay out the choice inside the current block."""
    mode = gr.Radio(list(CHOICES), value="base", label="Sing with", elem_id="mode")
    about = gr.HTML(elem_id="mode-about", elem_classes="faint")
    with gr.Group(visible=False, elem_id="one", elem_classes="bare") as one:
        # Names that are not in the list are told by the API's own words.
        single = gr.Dropdown([], value=None, label="Adapter", allow_custom_value=True, elem_id="single")
    with gr.Group(visible=False, elem_id="blend", elem_classes="bare") as blend:
        sliders = gr.HTML(elem_id="sliders")
        composition = gr.Textbox(
            label="Weights as text",
            info="The same in words, such as lyrics=0.6,nolyrics=0.4.",
            placeholder="lyrics=0.6,nolyrics=0.4",
            lines=1,
            max_lines=1,
            elem_id="composition",
        )
    slots.add("composition", "composition", "single")
    with gr.Row(visible=False, elem_id="tries", elem_classes="numbers") as tries:
        budget = _number(slots, "budget", "Songs at most", str(BUDGET))
        stop_wer = _number(slots, "stop_wer", "Enough at WER, %", f"{100 * STOP_WER:g}")
        with gr.Column(elem_classes="field wide", min_width=200):
            retry = gr.Dropdown(list(RETRIES), value=RETRY, label="Try again with", elem_id="retry")
            slots.add("retry", "retry")
    preview = gr.HTML(elem_id="preview")
    knows = gr.HTML(elem_id="router-knows")
    inputs = (mode, composition, budget, stop_wer, retry, single)
    return Modes(inputs, about, one, blend, sliders, tries, preview, knows)


def _number(slots: Slots, field: str, label: str, placeholder: str) -> gr.Textbox:
    name = field.replace("_", "-")
    with gr.Column(elem_classes="field", min_width=96):
        made = make_number(label, placeholder, name)
        mark(field)
        slots.add(field, name)
    return made


def read_modes(values: tuple[Any, ...]) -> Wanted:
    """What the fields say; empty ones are as where nothing is said.

    Raises:
        RequestError: as for the API.
    """
    mode, composition, budget, stop_wer, retry, single = values
    if mode == "blend":
        if not str(composition or "").strip():
            said = "no adapter is blended: move a slider, name one with its weight, or sing with the base model"
            raise RequestError.of([Fault("composition", said)])
        return Wanted("blend", _read_composition(str(composition)))
    if mode == "single":
        if not (name := str(single or "").strip()):
            said = "no adapter is chosen: choose one, or sing with the base model"
            raise RequestError.of([Fault("composition", said)])
        return Wanted("single", _read_composition(name))
    if mode == "cascade":
        given = {"budget": budget, "stop_wer": stop_wer, "retry": retry}
        found = {name: str(value).strip() for name, value in given.items() if str(value or "").strip()}
        return Wanted("cascade", {}, _read_options(found))
    return Wanted("routed" if mode == "routed" else "base", {})


def _read_options(found: dict[str, Any]) -> CascadeOptions:
    """The settings of a cascade as typed, all that is wrong with them told at once: the rate is in percent."""
    faults = list[Fault]()
    try:
        if "stop_wer" in found:
            typed = found["stop_wer"].removesuffix("%").replace(",", ".").strip()
            found = {**found, "stop_wer": _Percent.model_validate({"stop_wer": typed}).stop_wer / 100}
    except ValidationError as error:
        faults += find_faults(error, _Percent)
        found = {name: value for name, value in found.items() if name != "stop_wer"}
    try:
        options = CascadeOptions.read(found)
    except RequestError as error:
        raise RequestError.of([*error.faults, *faults]) from None
    if faults:
        raise RequestError.of(faults)
    return options


def _read_composition(text: str) -> dict[str, float]:
    try:
        return parse_composition(text)
    except AdapterError as error:
        raise RequestError.of([Fault("composition", str(error))]) from None


def show_modes(request: dict[str, Any], choice: Choice) -> list[Any]:
    """The fields that ask for a song like a stored one."""
    take = choice.take
    if take is not None:
        return ["cascade", "", str(take.budget), f"{100 * take.stop_wer:.6g}", take.retry, None]
    tries = [str(BUDGET), f"{100 * STOP_WER:g}", RETRY]
    if choice.decision is not None:
        return ["routed", "", *tries, None]
    text = name_composition(request)
    if text == "base":
        return ["base", "", *tries, None]
    name, _, weight = text.partition("=")
    alone = "," not in text and float(weight) == 1
    return ["single" if alone else "blend", text, *tries, name if alone else None]


def show_fields(mode: str) -> list[Any]:
    """Updates of the text about the mode and of all groups of fields."""
    about = _ABOUT.get(mode, "")
    return [
        about and f"<p>{about}</p>",
        gr.Group(visible=mode == "single"),
        gr.Group(visible=mode == "blend"),
        gr.Row(visible=mode == "cascade"),
    ]


def show_shelf(shelved: Sequence[Shelved], single: Any) -> list[Any]:
    """Updates of what offers the adapters: the list, with what is to be chosen of it, and the sliders. ``single``: a
    name, None for none, anything else to leave it as it is."""
    names = singable(shelved)
    chosen: dict[str, Any] = {"value": single} if single is None or isinstance(single, str) else {}
    said = None if names else "There are no adapters that this model can sing with."
    return [gr.Dropdown(choices=names, info=said, allow_custom_value=True, **chosen), show_sliders(shelved)]


def show_knowledge(ready: bool) -> str:
    """Where to read what the router knows, once there is one."""
    return _KNOWS if ready else ""
