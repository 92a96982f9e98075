"""The Compare tab: what to compare on one side, its songs below, and the latest comparisons.

A page knows its comparison, and whether it is listened to blind, by its address, so that a reload finds it again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.errors import ChoirmasterError
from ui import compare_form as forms
from ui.compare_panes import ComparePanes, Seen, is_outdated, lock_of, read_mode
from ui.comparing import begin
from ui.desk import QUICK, Desk
from ui.form import NEW_SEED, PROPOSE_SEED
from ui.songs import MAX_COMPARED

#: Seconds between two looks at how the songs stand.
LOOK_EVERY = 0.5
_REMEMBER = "(id, mode) => { window.choirmaster.rememberComparison(id, mode); return []; }"
_ANSWERED = "() => { window.choirmaster.compareAnswered(); return []; }"
_TO_FAULT = "() => { window.choirmaster.compareFault(); return []; }"
_LISTEN = "window.choirmaster.listen('compare-act', (data) => trigger('click', data));"


@dataclass(frozen=True)
class _Parts:
    """What is shown of a comparison, and what a page knows of it."""

    shown: list[gr.HTML]
    latest: gr.HTML
    act: gr.HTML
    opened: gr.Textbox
    mode: gr.Textbox
    seen: gr.State
    timer: gr.Timer


def build(desk: Desk) -> None:
    """Lay it out inside the current block, and wire it."""
    songs = desk.services.songs
    preset = songs.engine.model.preset
    with gr.Column(elem_id="compare-form", elem_classes="card"):
        form = forms.build(preset.steps, preset.guidance)
    with gr.Column(elem_id="compared"):
        about, shown = gr.HTML(elem_id="compared-about"), []
        with gr.Column(elem_id="compared-cards"):
            for _ in range(MAX_COMPARED):
                with gr.Column(min_width=100, elem_classes="compared-card card"):
                    shown += [gr.HTML(elem_classes=f"compared-{part}") for part in ("title", "player", "body")]
        maps = gr.HTML(elem_id="compared-maps")
    gr.HTML("<h2>Latest comparisons</h2>", elem_id="compared-title")
    parts = _Parts(
        [about, *shown, maps],
        gr.HTML(elem_id="compared-latest"),
        gr.HTML(elem_id="compare-act", elem_classes="command", js_on_load=_LISTEN),
        gr.Textbox(visible=False),
        gr.Textbox("open", visible=False),
        gr.State({}),
        gr.Timer(LOOK_EVERY, active=False),
    )
    _wire(desk, ComparePanes(songs, desk.services.voting), form, parts)


def _wire(desk: Desk, panes: ComparePanes, form: forms.CompareForm, parts: _Parts) -> None:
    songs, inputs, slots = panes.songs, list(form.inputs), list(form.slots)
    place = forms.FIELDS.index("compositions")
    # What every event about a comparison is answered with.
    told = [parts.opened, parts.mode, parts.timer, form.cancel, *parts.shown, parts.seen]
    known = [parts.opened, parts.mode, parts.seen]

    def offered() -> list[tuple[str, str]]:
        shelf = desk.services.shelf
        return forms.offer([] if shelf is None else shelf.names(), songs.routing.state in ("ready", "loading"))

    def answer(opened: str, mode: str, seen: Seen) -> list[Any]:
        updates = panes.show(opened, read_mode(mode), seen)
        going = panes.going(opened, seen)
        singing = any(song.going for song in songs.comparison(opened)) if opened else False
        return [opened, mode, gr.Timer(active=going), gr.Button(interactive=singing), *updates, seen]

    def turn(opened: str, mode: str, seen: Seen, trouble: str = "") -> list[Any]:
        """Somebody turned the page to a comparison, or to another mode of it."""
        seen.update(page=[opened, mode], quiet=0, strays=0, trouble=trouble)
        return answer(opened, mode, seen)

    def sing(seen: Seen, blind: bool, *values: Any) -> list[Any]:
        try:
            opened = begin(songs, *forms.read_compared(values))[0]
        except ChoirmasterError as error:
            faults = forms.show_faults(error, values)
            return [*faults, _open_more(faults), *[gr.skip()] * (len(told) + 1)]
        with lock_of(seen):
            shown = turn(opened, "blind" if blind else "open", seen)
        return [*forms.show_no_faults(), gr.skip(), *shown, panes.latest(opened)]

    def look(opened: str, mode: str, seen: Seen) -> list[Any]:
        # What the page knows is not sent back: meanwhile somebody may have opened another.
        with lock_of(seen):
            if is_outdated(seen, opened, mode):
                return [gr.skip()] * (len(listed) - 3)
            before = seen.get("ended")
            shown = answer(opened, mode, seen)[2:-1]
            return [*shown, panes.latest(opened) if seen["ended"] != before else gr.skip()]

    def show(opened: str, mode: str, seen: Seen) -> list[Any]:
        panes.judge_again(opened)
        with lock_of(seen):
            return [*turn(opened, mode, seen), panes.latest(opened)]

    def act(opened: str, mode: str, seen: Seen, event: gr.EventData) -> list[Any]:
        kind, filled = event._data.get("compare"), [gr.skip()] * len(inputs)
        with lock_of(seen):
            seen["trouble"] = ""
            if kind == "pick":
                mode = panes.pick(opened, read_mode(mode), str(event._data.get("song", "")), seen)
            elif kind in ("blind", "show"):
                mode = "blind" if kind == "blind" else "revealed"
            elif kind == "use":
                filled = fill(opened, mode)
            return [*filled, *turn(opened, mode, seen, seen["trouble"]), panes.latest(opened)]

    def command(opened: str, mode: str, seen: Seen, event: gr.EventData) -> list[Any]:
        data, filled = event._data, [gr.skip()] * (len(inputs) + len(slots))
        if data.get("song"):
            return [*fill_from(str(data["song"])), *[gr.skip()] * len(listed)]
        if data.get("comparison"):
            opened, mode = str(data["comparison"])[:64], "blind" if data.get("blind") else "open"
        return [*filled, *show(opened, mode, seen)]

    def fill(opened: str, mode: str) -> list[Any]:
        """The fields for a comparison; blind, its compositions are not told."""
        requests = panes.requests(opened)
        if not requests:
            return [gr.skip()] * len(inputs)
        prompt, choices = forms.show_request(requests[0]), offered()
        if mode == "blind":
            return [*prompt, gr.CheckboxGroup(choices=choices), gr.skip()]
        ticked, blends = forms.show_compositions(requests, choices)
        return [*prompt, gr.CheckboxGroup(choices=choices, value=ticked), blends]

    def fill_from(song_id: str) -> list[Any]:
        """The fields for one song, to be compared with the base model at least, and what is wrong with that."""
        standing, choices = songs.standing(song_id), offered()
        if standing is None:
            said = f"there is no song {song_id[:40]!r} any more: fill in the form, or send another song here"
            return [*[gr.skip()] * len(inputs), *forms.show_faults(ChoirmasterError(said))]
        ticked, blends = forms.show_compositions([{}, standing.request], choices)
        group = gr.CheckboxGroup(choices=choices, value=ticked)
        return [*forms.show_request(standing.request), group, blends, *forms.show_no_faults()]

    def arrive(seen: Seen, request: gr.Request) -> list[Any]:
        opened = str(request.query_params.get("comparison", ""))[:64]
        mode = "blind" if request.query_params.get("blind") else "open"
        values = fill(opened, mode)
        if not panes.requests(opened):
            values[place] = gr.CheckboxGroup(choices=offered())
        return [*values, *show(opened, mode, seen)]

    def refresh(opened: str, mode: str, seen: Seen, ticked: list[str]) -> list[Any]:
        choices = offered()
        there = [name for name in ticked or [] if name in {name for _, name in choices}]
        # What is ticked is sent only where it changes: the page may be about to be told what it is to be.
        group = gr.CheckboxGroup(choices=choices)
        if there != ticked:
            group = gr.CheckboxGroup(choices=choices, value=there)
        with lock_of(seen):
            if not opened or is_outdated(seen, opened, mode):
                return [group, *[gr.skip()] * (len(listed) - 4), panes.latest(opened)]
            seen["quiet"] = 0
            return [group, *answer(opened, mode, seen)[2:-1], panes.latest(opened)]

    def remember(event: Any) -> None:
        event.then(None, [parts.opened, parts.mode], [], js=_REMEMBER)

    listed = [*told, parts.latest]
    asked = form.sing.click(sing, [parts.seen, form.blind, *inputs], [*slots, form.more, *listed], **QUICK)
    asked.then(None, [], [], js=_TO_FAULT)
    remember(asked)
    looked = [*told[2:-1], parts.latest]
    parts.timer.tick(look, known, looked, **QUICK)
    form.cancel.click(panes.cancel, [parts.opened], [], **QUICK)
    seed = inputs[forms.FIELDS.index("seed")]
    desk.page.load(None, [seed], [seed], js=PROPOSE_SEED, **QUICK)
    form.dice.click(None, [], [seed], js=NEW_SEED, **QUICK)
    acted = parts.act.click(act, known, [*inputs, *listed], **QUICK)
    acted.then(None, [], [], js=_ANSWERED)
    remember(acted)
    remember(desk.command.click(command, known, [*inputs, *slots, *listed], **QUICK))
    desk.tab.select(refresh, [*known, inputs[place]], [inputs[place], *looked], **QUICK)
    desk.page.load(arrive, [parts.seen], [*inputs, *listed], **QUICK)
    for field, slot, empty in zip(inputs, slots, forms.show_no_faults(), strict=False):
        # In the browser: the answer to an earlier keystroke must not wipe what was told since.
        field.change(None, [], [slot], js=f"() => {json.dumps(empty)}", **QUICK)


def _open_more(faults: list[str]) -> Any:
    """The fields that are folded away are shown where one of them is to blame."""
    folded = {"tempo", "melody_seed", "guidance"}
    hit = any("role=" in fault for name, fault in zip(forms.SLOTS, faults, strict=True) if name in folded)
    return gr.Accordion(open=True) if hit else gr.skip()
