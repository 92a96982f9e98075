"""The Sing tab: form on one side, song on the other, recent songs below.

A page knows its song, or its cascade, by the id in its address, so a reload finds it again, and every browser tab looks
at its own.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from adapters.base import Base
from engine.errors import ChoirmasterError
from engine.request import SongRequest
from ui import form as forms
from ui import modes
from ui.blends import Blends
from ui.desk import QUICK, Desk
from ui.draft import READ, read_draft
from ui.examples import QUICK_PROMPTS, Example, genre_examples
from ui.field_faults import find_faults
from ui.foresight import complain, read_all, wire_checks, wire_router, wire_shelf
from ui.panes import Panes, Seen
from ui.progress import EMPTY
from ui.songs import Songs

#: Seconds between two looks at how the song stands.
LOOK_EVERY = 0.5
_REMEMBER = "(id) => { window.choirmaster.rememberSong(id); return []; }"
_KEEP_DRAFT = "(...values) => { window.choirmaster.keepDraft?.(values); return []; }"
_BEGIN_DRAFT = "() => { window.choirmaster.tell('draft'); return []; }"
_TO_FAULT = "() => { window.choirmaster.toFault?.(); return []; }"
_OPEN_LINKS = "window.choirmaster.openLinks(element, trigger);"


def build(desk: Desk) -> None:
    """Lay it out inside the current block, and wire it."""
    songs = desk.services.songs
    panes, model = Panes(songs), songs.engine.model
    with gr.Row(elem_id="desk", equal_height=False):
        with gr.Column(scale=5, min_width=300, elem_id="asking"):
            form = forms.build(model.preset.steps, model.preset.guidance)
            trouble = gr.HTML(elem_id="trouble")
        with gr.Column(scale=6, min_width=300, elem_id="song"):
            parts = [gr.HTML(EMPTY, elem_id="status"), gr.HTML(elem_id="player")]
            reuse = gr.Button("Put its words into the form", size="sm", visible=False, elem_id="reuse")
            parts.append(gr.HTML(elem_id="takes", js_on_load=_OPEN_LINKS))
            parts += [gr.HTML(elem_id=name) for name in ("verdict", "maps", "picture", "decided")]
    gr.HTML("<h2>Recent songs</h2>", elem_id="recent-title")
    parts.append(gr.HTML(elem_id="recent", js_on_load=_OPEN_LINKS))
    blends = Blends(desk.services.shelf, Base.of(model.transformer))
    singing = _Singing(desk, panes, form, blends, trouble, [form.cancel, reuse, *parts, gr.State({})])
    singing.wire(parts, reuse)
    wire_checks(desk, songs, form, trouble)
    wire_router(desk, songs, form)
    wire_shelf(desk, form, blends)


class _Singing:
    """What the form and the song do with each other. ``shown``: all that shows the song, and what was seen of it."""

    def __init__(
        self, desk: Desk, panes: Panes, form: forms.Form, blends: Blends, trouble: gr.HTML, shown: list[Any]
    ) -> None:
        self.desk, self.panes, self.songs, self.form, self.blends = desk, panes, panes.songs, form, blends
        self.trouble, self.shown, self.seen = trouble, shown, shown[-1]
        self.inputs, self.wanted = list(form.inputs), list(form.modes.inputs)
        self.slots = list(form.slots.parts.values())
        self.opened = gr.Textbox(visible=False)

    def wire(self, parts: list[gr.HTML], reuse: gr.Button) -> None:
        """Connect everything but what is checked while one types."""
        form, fields, opened, seen = self.form, [*self.inputs, *self.wanted], self.opened, self.seen
        told = [self.trouble, form.more, *self.slots, opened, *self.shown]
        asked = form.sing.click(self.sing, [seen, opened, *fields], told, **QUICK)
        entered = self.inputs[0].submit(self.sing, [seen, opened, *fields], told, **QUICK)
        listed = [part for part in parts if part.elem_id in ("recent", "takes")]
        links = [part.click(self.pick, [seen], [opened, *self.shown], **QUICK) for part in listed]
        sent = self.desk.command.click(self.command, [seen], [*fields, opened, *self.shown], **QUICK)
        for event in (asked, entered, *links, sent):
            event.then(None, [opened], [], js=_REMEMBER)
        for event in (asked, entered):
            event.then(None, [], [], js=_TO_FAULT)
        form.cancel.click(self.cancel, [opened, seen], self.shown, **QUICK)
        reuse.click(self.fill, [opened], fields, **QUICK)
        gr.Timer(LOOK_EVERY).tick(self.look, [opened, seen], self.shown, **QUICK)
        seed = self.inputs[forms.FIELDS.index("seed")]
        self.desk.page.load(None, [seed], [seed], js=forms.PROPOSE_SEED, **QUICK)
        form.dice.click(None, [], [seed], js=forms.NEW_SEED, **QUICK)
        begun = [*self.inputs[:2], self.inputs[forms.FIELDS.index("tags")], self.trouble]
        for prompt, button in zip(QUICK_PROMPTS, form.prompts, strict=True):
            button.click(lambda p=prompt: _begin(p), [], begun, **QUICK)
        form.example.input(lambda genre: _begin(genre_examples().get(str(genre))), [form.example], begun, **QUICK)
        draft = gr.Textbox(visible=False)
        arrived = self.desk.page.load(
            self.arrive, [draft], [*fields, form.modes.sliders, opened, *self.shown], js=READ, **QUICK
        )
        arrived.then(None, [], [], js=_BEGIN_DRAFT)
        gr.on([field.change for field in fields], None, fields, [], js=_KEEP_DRAFT)

    def sing(self, last: Seen, opened: str, *values: Any) -> list[Any]:
        try:
            request, wanted = read_all(self.songs, self.form, values)
            opened = _sing(self.songs, request, wanted)
        except ChoirmasterError as error:
            faults = find_faults(error)
            folded = any(fault.field in forms.FOLDED for fault in faults)
            unfolded = gr.Accordion(open=True) if folded else gr.skip()
            unchanged = [gr.skip()] * (1 + len(self.shown))
            return [complain(self.form, faults), unfolded, *self.form.slots.show(faults), *unchanged]
        return ["", gr.skip(), *self.form.slots.show(()), opened, *self.show(opened, last)]

    def show(self, opened: str, last: Seen) -> list[Any]:
        """Updates of all that shows the song."""
        view, cancelling = self.panes.view(opened), self.panes.cancelling(opened)
        return [
            gr.Button(interactive=view.going and not cancelling),
            gr.Button(visible=view.request is not None and not view.going),
            *self.panes.show(opened, last),
        ]

    def look(self, opened: str, last: Seen) -> list[Any]:
        unchanged = last.get("key") == self.panes.key(opened)
        return [gr.skip()] * len(self.shown) if unchanged else self.show(opened, last)

    def open(self, opened: str, last: Seen) -> list[Any]:
        self.songs.judge_again(opened)
        return [opened, *self.show(opened, last)]

    def pick(self, last: Seen, event: gr.EventData) -> list[Any]:
        return self.open(str(event._data.get("song", ""))[:64], last)

    def command(self, last: Seen, event: gr.EventData) -> list[Any]:
        """Whoever is sent here from another tab: a song to look at, and perhaps to sing again."""
        song, again = str(event._data.get("song", ""))[:64], bool(event._data.get("again"))
        fields = len(self.inputs) + len(self.wanted)
        if not song:  # the tab was opened, no more
            return [gr.skip()] * (fields + 1 + len(self.shown))
        return [*(self.fill(song) if again else [gr.skip()] * fields), *self.open(song, last)]

    def cancel(self, opened: str, last: Seen) -> list[Any]:
        self.panes.cancel(opened)
        return self.show(opened, last)

    def fill(self, opened: str) -> list[Any]:
        """The fields as a song was asked for."""
        view = self.panes.view(opened)
        if view.request is None:
            return [gr.skip()] * (len(self.inputs) + len(self.wanted))
        return [*forms.show_form(view.request), *modes.show_modes(view.request, view.choice)]

    def arrive(self, draft: str | None, request: gr.Request) -> list[Any]:
        """A page that is opened, or loaded again: what was typed, a song of the address, or a fresh form."""
        opened = str(request.query_params.get("song", ""))[:64]
        values = read_draft(draft, opened)
        if values is None:
            values = self.fill(opened)
        return [*values[:-1], *modes.show_shelf(self.blends.listed(), values[-1]), *self.open(opened, {})]


def _begin(example: Example | None) -> list[Any]:
    """Style, lyrics and tags of an example; nothing where there is none."""
    if example is None:
        return [gr.skip()] * 4
    return [example.caption, example.lyrics, list(example.tags), ""]


def _sing(songs: Songs, request: SongRequest, wanted: modes.Wanted) -> str:
    """Begin what is wanted; the id that the page then looks at."""
    if wanted.mode == "cascade":
        return songs.cascades.start(request, wanted.options).id
    if wanted.mode == "routed":
        return songs.submit_routed(request).id
    return songs.submit(request.sung_by(wanted.composition)).id
