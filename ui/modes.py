"""What a song is to be sung with: the base model, adapters that are named, what the router says, or several tries.

Knows how its fields become a composition or the settings of a cascade, with the same messages as the API. Knows no
router.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from adapters.composition import parse_composition
from adapters.errors import AdapterError
from engine.errors import Fault, RequestError
from router.cascade import BUDGET, STOP_WER
from router.retries import RETRY
from ui.choices import Choice, name_composition
from ui.takes import CascadeOptions

Mode = Literal["base", "adapters", "routed", "cascade"]
#: In the order of ``Modes.inputs``.
FIELDS = ("mode", "composition", "budget", "stop_wer", "retry")

_CHOICES = [("Base model", "base"), ("Adapters", "adapters"), ("Routed", "routed"), ("Cascade", "cascade")]
_RETRIES = [("Other noise", "seeds"), ("Another adapter", "adapters"), ("Another adapter, other noise", "both")]
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
    adapters: gr.Group
    tries: gr.Row
    preview: gr.HTML
    knows: gr.HTML


@dataclass(frozen=True)
class Wanted:
    """What the fields say; ``options`` is there for a cascade."""

    mode: Mode
    composition: dict[str, float]
    options: CascadeOptions | None = None


def build() -> Modes:
    """Lay out the choice inside the current block."""
    mode = gr.Radio(_CHOICES, value="base", label="Sing with", elem_id="mode")
    about = gr.HTML(elem_id="mode-about", elem_classes="faint")
    with gr.Group(visible=False, elem_id="adapters") as adapters:
        composition = gr.Textbox(
            label="Adapters",
            info="Names and weights, such as lyrics or lyrics=0.6,nolyrics=0.4.",
            placeholder="lyrics=0.6,nolyrics=0.4",
            lines=1,
            max_lines=1,
            elem_id="composition",
        )
    with gr.Row(visible=False, elem_id="tries", elem_classes="numbers") as tries:
        budget = _number("Songs at most", str(BUDGET), elem_id="budget")
        stop_wer = _number("Enough at WER", f"{STOP_WER:g}", elem_id="stop-wer")
        retry = gr.Dropdown(_RETRIES, value=RETRY, label="Try again with", elem_id="retry")
    preview = gr.HTML(elem_id="preview")
    knows = gr.HTML(elem_id="router-knows")
    return Modes((mode, composition, budget, stop_wer, retry), about, adapters, tries, preview, knows)


def _number(label: str, placeholder: str, **more: Any) -> gr.Textbox:
    return gr.Textbox(label=label, placeholder=placeholder, lines=1, max_lines=1, min_width=84, **more)


def read_modes(values: tuple[Any, ...]) -> Wanted:
    """What the fields say; empty ones are as where nothing is said.

    Raises:
        RequestError: as for the API.
    """
    mode, composition, budget, stop_wer, retry = values
    if mode == "adapters":
        try:
            return Wanted("adapters", parse_composition(str(composition or "")))
        except AdapterError as error:
            raise RequestError.of([Fault("composition", str(error))]) from None
    if mode == "cascade":
        given = {"budget": budget, "stop_wer": stop_wer, "retry": retry}
        found = {name: str(value).strip() for name, value in given.items() if str(value or "").strip()}
        return Wanted("cascade", {}, CascadeOptions.read(found))
    return Wanted("routed" if mode == "routed" else "base", {})


def show_modes(request: dict[str, Any], choice: Choice) -> list[str]:
    """The fields that ask for a song like a stored one."""
    take = choice.take
    if take is not None:
        return ["cascade", "", str(take.budget), f"{take.stop_wer:g}", take.retry]
    tries = [str(BUDGET), f"{STOP_WER:g}", RETRY]
    if choice.decision is not None:
        return ["routed", "", *tries]
    text = name_composition(request)
    return ["base", "", *tries] if text == "base" else ["adapters", text, *tries]


def show_fields(mode: str) -> list[Any]:
    """Updates of the text about the mode and of both groups of fields."""
    about = _ABOUT.get(mode, "")
    return [about and f"<p>{about}</p>", gr.Group(visible=mode == "adapters"), gr.Row(visible=mode == "cascade")]


def show_knowledge(ready: bool) -> str:
    """Where to read what the router knows, once there is one."""
    return _KNOWS if ready else ""
