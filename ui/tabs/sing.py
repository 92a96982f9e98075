"""The Sing tab: form on one side, song on the other, recent songs below.

A page knows its song, or its cascade, by the id in its address, so a reload finds it again, and every browser tab looks
at its own.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from engine.errors import ChoirmasterError, RequestError
from engine.request import SongRequest
from ui import form as forms
from ui import modes
from ui.decided import show_decision
from ui.desk import QUICK, Desk
from ui.panes import Panes, Seen
from ui.progress import EMPTY
from ui.songs import Songs

#: Seconds between two looks at how the song stands.
LOOK_EVERY = 0.5
_REMEMBER = "(id) => { window.choirmaster.rememberSong(id); return []; }"
_OPEN_LINKS = "window.choirmaster.openLinks(element, trigger);"


def build(desk: Desk) -> None:
    """Lay it out inside the current block, and wire it."""
    songs = desk.services.songs
    panes, preset = Panes(songs), songs.engine.model.preset
    seen = gr.State({})
    opened = gr.Textbox(visible=False)
    timer = gr.Timer(LOOK_EVERY)
    awaiting = gr.Timer(LOOK_EVERY, active=False)  # only while the router is being loaded
    with gr.Row(elem_id="desk", equal_height=False):
        with gr.Column(scale=5, min_width=300, elem_id="asking"):
            form = forms.build(preset.steps, preset.guidance)
            trouble = gr.HTML(elem_id="trouble")
        with gr.Column(scale=6, min_width=300, elem_id="song"):
            parts = [gr.HTML(EMPTY, elem_id="status"), gr.HTML(elem_id="player")]
            reuse = gr.Button("Put its words into the form", size="sm", visible=False, elem_id="reuse")
            parts.append(gr.HTML(elem_id="takes", js_on_load=_OPEN_LINKS))
            parts += [gr.HTML(elem_id=name) for name in ("picture", "verdict", "decided")]
    gr.HTML("<h2>Recent songs</h2>", elem_id="recent-title")
    parts.append(gr.HTML(elem_id="recent", js_on_load=_OPEN_LINKS))
    _wire(desk, panes, form, parts, trouble, reuse, opened, seen, timer)
    _wire_router(desk.page, songs, form, awaiting)


def _wire(
    desk: Desk,
    panes: Panes,
    form: forms.Form,
    parts: list[gr.HTML],
    trouble: gr.HTML,
    reuse: gr.Button,
    opened: gr.Textbox,
    seen: gr.State,
    timer: gr.Timer,
) -> None:
    songs, inputs, wanted = panes.songs, list(form.inputs), list(form.modes.inputs)

    def line(*values: Any) -> str:
        return forms.live_line(songs.preview, values)

    def buttons(opened: str) -> list[Any]:
        view = panes.view(opened)
        return [gr.Button(interactive=view.going), gr.Button(visible=view.request is not None and not view.going)]

    def sing(last: Seen, opened: str, *values: Any) -> list[Any]:
        try:
            opened = _sing(songs, forms.read_form(values[: len(inputs)]), modes.read_modes(values[len(inputs) :]))
        except ChoirmasterError as error:
            unchanged = [gr.skip()] * (len(parts) + 4)
            return [forms.complaint(str(error)), *unchanged]
        return ["", opened, *buttons(opened), *panes.show(opened, last)]

    def look(opened: str, last: Seen) -> list[Any]:
        if last.get("key") == panes.key(opened):
            return [gr.skip()] * (len(parts) + 3)
        return [*buttons(opened), *panes.show(opened, last)]

    def show(opened: str, last: Seen) -> list[Any]:
        songs.judge_again(opened)
        return [opened, *buttons(opened), *panes.show(opened, last)]

    def pick(last: Seen, event: gr.EventData) -> list[Any]:
        return show(str(event._data.get("song", "")), last)

    def command(last: Seen, event: gr.EventData) -> list[Any]:
        return show(str(event._data.get("song", "")), last)

    def arrive(request: gr.Request) -> list[Any]:
        opened = str(request.query_params.get("song", ""))[:64]
        values = fill(opened)
        if panes.view(opened).request is None:
            values[forms.FIELDS.index("seed")] = forms.new_seed()
        return [*values, *show(opened, {})]

    def fill(opened: str) -> list[Any]:
        view = panes.view(opened)
        if view.request is None:
            return [gr.skip()] * (len(inputs) + len(wanted))
        return [*forms.show_form(view.request), *modes.show_modes(view.request, view.choice)]

    shown = [form.cancel, reuse, *parts, seen]
    told = [trouble, opened, *shown]
    asked = form.sing.click(sing, [seen, opened, *inputs, *wanted], told, **QUICK)
    entered = inputs[0].submit(sing, [seen, opened, *inputs, *wanted], told, **QUICK)
    listed = [part for part in parts if part.elem_id in ("recent", "takes")]
    links = [part.click(pick, [seen], [opened, *shown], **QUICK) for part in listed]
    for event in (asked, entered, *links):
        event.then(None, [opened], [], js=_REMEMBER)
    form.cancel.click(panes.cancel, [opened], [], **QUICK)
    reuse.click(fill, [opened], [*inputs, *wanted], **QUICK)
    form.dice.click(forms.new_seed, [], [inputs[forms.FIELDS.index("seed")]], **QUICK)
    for prompt, button in zip(forms.PROMPTS, form.prompts, strict=True):
        button.click(lambda p=prompt: (p.caption, p.lyrics, ""), [], [*inputs[:2], trouble], **QUICK)
    gr.on([field.change for field in inputs], line, inputs, [form.line], trigger_mode="always_last", **QUICK)
    gr.on([field.input for field in (*inputs, *wanted)], lambda: "", [], [trouble], **QUICK)
    groups = [form.modes.about, form.modes.adapters, form.modes.tries]
    wanted[0].change(modes.show_fields, [wanted[0]], groups, **QUICK)
    timer.tick(look, [opened, seen], shown, **QUICK)
    desk.command.click(command, [seen], [opened, *shown], **QUICK).then(None, [opened], [], js=_REMEMBER)
    desk.page.load(arrive, [], [*inputs, *wanted, opened, *shown], **QUICK).then(line, inputs, [form.line], **QUICK)


def _wire_router(page: gr.Blocks, songs: Songs, form: forms.Form, awaiting: gr.Timer) -> None:
    """What the router would choose, as far as it is loaded."""
    inputs, wanted, knows = list(form.inputs), list(form.modes.inputs), form.modes.knows

    def preview(*values: Any) -> str:
        return _preview(songs, values[: len(inputs)], values[len(inputs) :])

    def know() -> list[Any]:
        state = songs.routing.state
        return [modes.show_knowledge(state == "ready"), gr.Timer(active=state == "loading")]

    # What the router reads, and whether it is asked at all.
    gr.on(
        [field.change for field in (*inputs[:2], wanted[0])],
        preview,
        [*inputs, *wanted],
        [form.modes.preview],
        trigger_mode="always_last",
        **QUICK,
    )
    awaiting.tick(
        lambda *values: [preview(*values), *know()], [*inputs, *wanted], [form.modes.preview, knows, awaiting], **QUICK
    )
    page.load(know, [], [knows, awaiting], **QUICK)


def _sing(songs: Songs, request: SongRequest, wanted: modes.Wanted) -> str:
    """Begin what is wanted; the id that the page then looks at."""
    if wanted.mode == "cascade":
        return songs.cascades.start(request, wanted.options).id
    if wanted.mode == "routed":
        return songs.submit_routed(request).id
    return songs.submit(request.sung_by(wanted.composition)).id


def _preview(songs: Songs, values: tuple[Any, ...], wanted: tuple[Any, ...]) -> str:
    """What the router would sing the form with, or why it cannot be asked; nothing where it is not to be."""
    if wanted[0] not in ("routed", "cascade"):
        return ""
    routing = songs.routing
    if routing.state == "loading":  # a page does not wait
        return f"<p class='faint' role='status'>{routing.reason}</p>"
    try:
        return show_decision(songs.decide(forms.read_form(values)), label="What the router would choose")
    except RequestError:  # told below the words already
        return ""
    except ChoirmasterError as error:
        return forms.complaint(str(error))
