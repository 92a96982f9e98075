"""What the Sing tab tells before anything is sung: faults beside their fields, the plan, and the router's choice.

Knows the form and what would become of it. Sings nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from engine.errors import ChoirmasterError, Fault, RequestError
from engine.request import SongRequest
from ui import form as forms
from ui import modes
from ui.blends import Blends
from ui.decided import show_decision
from ui.desk import QUICK, Desk
from ui.field_faults import find_faults
from ui.songs import Songs

#: Seconds between two looks at whether the router is there.
LOOK_EVERY = 0.5
_TELL_BLEND = "(text) => { window.choirmaster.tell('blend', { text }); return []; }"
_MEND_FIRST = '<p class="planned">The plan appears here once what is marked is put right.</p>'


def all_heads(songs: Songs) -> list[tuple[int, int]]:
    """Layer and head of all attention heads of the model that sings."""
    config = songs.engine.model.transformer.config
    heads = range(int(config.num_attention_heads))
    return [(layer, head) for layer in range(int(config.num_hidden_layers)) for head in heads]


def read_all(songs: Songs, form: forms.Form, values: Sequence[Any]) -> tuple[SongRequest, modes.Wanted]:
    """What all fields ask for, those of the form before those of the modes.

    Raises:
        RequestError: told by the faults of all fields.
    """
    count = len(form.inputs)
    asked, wanted = tuple(values[:count]), tuple(values[count:])
    faults: list[Fault] = []
    try:
        request = forms.read_form(asked, all_heads(songs))
    except RequestError as error:
        faults += find_faults(error)
    try:
        mode = modes.read_modes(wanted)
    except RequestError as error:
        faults += find_faults(error)
    if faults:
        raise RequestError.of(faults)
    return request, mode


def complain(form: forms.Form, faults: Sequence[Fault]) -> str:
    """What is wrong with no field, as HTML."""
    homeless = form.slots.homeless(faults)
    return forms.complaint("; ".join(homeless)) if homeless else ""


def wire_checks(desk: Desk, songs: Songs, form: forms.Form, trouble: gr.HTML) -> None:
    """Faults and the plan, while one types."""
    fields = [*form.inputs, *form.modes.inputs]

    def check(*values: Any) -> list[str]:
        try:
            request, wanted = read_all(songs, form, forms.with_steady_seed(values))
            line = forms.live_line(songs.preview, request.sung_by(wanted.composition))
        except ChoirmasterError as error:
            faults = find_faults(error)
            return [complain(form, faults) or _MEND_FIRST, *form.slots.show(faults)]
        return [line, *form.slots.show(())]

    told = [form.line, *form.slots.parts.values()]
    gr.on([field.change for field in fields], check, fields, told, trigger_mode="always_last", **QUICK)
    gr.on([field.input for field in fields], lambda: "", [], [trouble], **QUICK)
    mode, composition = form.modes.inputs[:2]
    mode.change(modes.show_fields, [mode], form.modes.groups, **QUICK)
    composition.change(None, [composition], [], js=_TELL_BLEND)
    desk.page.load(check, fields, told, **QUICK)


def wire_router(desk: Desk, songs: Songs, form: forms.Form) -> None:
    """What the router would choose, as far as it is loaded."""
    inputs, wanted, knows = list(form.inputs), list(form.modes.inputs), form.modes.knows
    awaiting = gr.Timer(LOOK_EVERY, active=False)  # only while the router is being loaded

    def preview(*values: Any) -> str:
        return _preview(songs, values[: len(inputs)], values[len(inputs) :])

    def know() -> list[Any]:
        state = songs.routing.state
        return [modes.show_knowledge(state == "ready"), gr.Timer(active=state == "loading")]

    # What the router reads, and whether it is asked at all.
    read = [*inputs[:2], inputs[forms.FIELDS.index("tags")], wanted[0]]
    gr.on(
        [field.change for field in read],
        preview,
        [*inputs, *wanted],
        [form.modes.preview],
        trigger_mode="always_last",
        **QUICK,
    )
    awaiting.tick(
        lambda *values: [preview(*values), *know()], [*inputs, *wanted], [form.modes.preview, knows, awaiting], **QUICK
    )
    desk.page.load(know, [], [knows, awaiting], **QUICK)


def wire_shelf(desk: Desk, form: forms.Form, blends: Blends) -> None:
    """The adapters to choose from, as the shelf is whenever one may have come or gone."""

    def look() -> list[Any]:
        return modes.show_shelf(blends.listed(), gr.skip())

    gr.on([desk.tab.select, form.modes.inputs[0].change], look, [], form.modes.shelf, **QUICK)


def _preview(songs: Songs, values: tuple[Any, ...], wanted: tuple[Any, ...]) -> str:
    """What the router would sing the form with, or why it cannot be asked; nothing where it is not to be."""
    if wanted[0] not in ("routed", "cascade"):
        return ""
    routing = songs.routing
    if routing.state == "loading":  # a page does not wait
        return f"<p class='faint' role='status'>{routing.reason}</p>"
    try:
        return show_decision(songs.decide(forms.read_form(values)), label="What the router would choose")
    except RequestError:  # told beside the fields already
        return ""
    except ChoirmasterError as error:
        return forms.complaint(str(error))
