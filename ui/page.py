"""The page: form on one side, song on the other, recent songs below, mounted at the root of an application.

Puts the modules of this room together and keeps the page up to date. A page knows its song by the id in its address, so
a reload finds it again, and every browser tab looks at its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from engine.errors import ChoirmasterError
from engine.plan import Plan
from ui import form as forms
from ui.picture import draw_plan
from ui.progress import EMPTY, show_player, show_status
from ui.recent import SHOWN, show_recent
from ui.songs import Songs
from ui.standings import Standing
from ui.theme import HEADER, make_theme
from ui.verdict import show_verdict

_HERE = Path(__file__).parent
#: Seconds between two looks at how the song stands.
LOOK_EVERY = 0.5
_REMEMBER = "(id) => { window.choirmaster.remember(id); return []; }"
_OPEN_LINKS = "window.choirmaster.openLinks(element, trigger);"

#: What a session was shown last, so that only what changed is sent: playing must not stop when the judge is done.
Seen = dict[str, Any]


class Panes:
    """The parts of the page that show one song, and what each should show."""

    NAMES = ("status", "player", "picture", "verdict", "recent")

    def __init__(self, songs: Songs) -> None:
        self.songs = songs

    def key(self, song_id: str) -> tuple[Any, ...]:
        """Differs whenever the page may have something new to show."""
        job = self.songs.engine.job(song_id) if song_id else None
        place = self.songs.engine.place(job) if job is not None and job.state == "queued" else 0
        return (
            song_id,
            self.songs.changes,
            self.songs.listener.state,
            job.state if job else None,
            job.step if job else 0,
            place,
        )

    def show(self, song_id: str, seen: Seen) -> list[Any]:
        """Updates of all panes, then what has been seen."""
        key = self.key(song_id)
        if seen.get("key") == key:
            return [gr.skip()] * (len(self.NAMES) + 1)
        changes = (song_id, self.songs.changes)  # the list costs a look at every song on disk: not for a mere step
        listed = seen["recent"] if seen.get("changes") == changes else show_recent(self.songs.listed(SHOWN), song_id)
        shown = dict(zip(self.NAMES, (*self._contents(song_id), listed), strict=True))
        updates = [gr.skip() if seen.get(n) == html else html for n, html in shown.items()]
        return [*updates, {"key": key, "changes": changes, **shown}]

    def _contents(self, song_id: str) -> tuple[str, ...]:
        standing = self.songs.standing(song_id) if song_id else None
        if standing is None:
            gone = (
                forms.complaint(f"there is no song {song_id[:40]!r} any more: open another one") if song_id else EMPTY
            )
            return gone, "", "", ""
        lyrics = str(standing.request.get("lyrics", ""))
        picture, verdict = self._picture(standing, lyrics), show_verdict(standing.judged, lyrics)
        return show_status(standing), show_player(standing), picture, verdict

    def _picture(self, standing: Standing, lyrics: str) -> str:
        if standing.state in ("failed", "cancelled"):
            return ""
        try:
            if standing.record is not None:
                stored = standing.record.get("plan")
                plan = None if stored is None else Plan.model_validate(stored)
            else:
                job = self.songs.engine.job(standing.id)
                plan = None if job is None else self.songs.preview(job.request)[0]
            return "" if plan is None else draw_plan(plan, lyrics)
        except (ChoirmasterError, ValueError, ArithmeticError):  # a plan changed by hand may be none
            return ""


def build_page(songs: Songs) -> gr.Blocks:
    """The Blocks of the page over a service of songs."""
    panes, preset = Panes(songs), songs.engine.model.preset
    page = gr.Blocks(title="Choirmaster", analytics_enabled=False)
    with page:
        seen = gr.State({})
        opened = gr.Textbox(visible=False)
        timer = gr.Timer(LOOK_EVERY)
        gr.HTML(HEADER, elem_id="masthead")
        judge_note = gr.HTML(elem_id="judge-note")
        with gr.Row(elem_id="desk", equal_height=False):
            with gr.Column(scale=5, min_width=300, elem_id="asking"):
                form = forms.build(preset.steps, preset.guidance)
                trouble = gr.HTML(elem_id="trouble")
            with gr.Column(scale=6, min_width=300, elem_id="song"):
                parts = [gr.HTML(EMPTY, elem_id="status"), gr.HTML(elem_id="player")]
                reuse = gr.Button("Put its words into the form", size="sm", visible=False, elem_id="reuse")
                parts += [gr.HTML(elem_id="picture"), gr.HTML(elem_id="verdict")]
        gr.HTML("<h2>Recent songs</h2>", elem_id="recent-title")
        parts.append(gr.HTML(elem_id="recent", js_on_load=_OPEN_LINKS))
        _wire(page, panes, form, parts, trouble, judge_note, reuse, opened, seen, timer)
    return page


def _wire(
    page: gr.Blocks,
    panes: Panes,
    form: forms.Form,
    parts: list[gr.HTML],
    trouble: gr.HTML,
    judge_note: gr.HTML,
    reuse: gr.Button,
    opened: gr.Textbox,
    seen: gr.State,
    timer: gr.Timer,
) -> None:
    songs, inputs = panes.songs, list(form.inputs)
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def line(*values: Any) -> str:
        return forms.live_line(songs.preview, values)

    def buttons(song_id: str) -> list[Any]:
        standing = songs.standing(song_id) if song_id else None
        going = standing is not None and standing.going
        return [gr.Button(interactive=going), gr.Button(visible=standing is not None and standing.state == "done")]

    def sing(last: Seen, song_id: str, *values: Any) -> list[Any]:
        try:
            song_id = songs.submit(forms.read_form(values)).id
        except ChoirmasterError as error:
            unchanged = [gr.skip()] * (len(parts) + 4)
            return [forms.complaint(str(error)), *unchanged]
        return ["", song_id, *buttons(song_id), *panes.show(song_id, last)]

    def look(song_id: str, last: Seen) -> list[Any]:
        if last.get("key") == panes.key(song_id):
            return [gr.skip()] * (len(parts) + 4)
        return [_judge_note(songs), *buttons(song_id), *panes.show(song_id, last)]

    def show(song_id: str, last: Seen) -> list[Any]:
        songs.judge_again(song_id)
        return [song_id, *buttons(song_id), *panes.show(song_id, last)]

    def pick(last: Seen, event: gr.EventData) -> list[Any]:
        return show(str(event._data.get("song", "")), last)

    def arrive(request: gr.Request) -> list[Any]:
        song_id = str(request.query_params.get("song", ""))[:64]
        values = fill(song_id)
        if songs.standing(song_id) is None:
            values[forms.FIELDS.index("seed")] = forms.new_seed()
        return [_judge_note(songs), *values, *show(song_id, {})]

    def fill(song_id: str) -> list[Any]:
        standing = songs.standing(song_id) if song_id else None
        return [gr.skip()] * len(inputs) if standing is None else [*forms.show_form(standing.request)]

    shown = [form.cancel, reuse, *parts, seen]
    asked = form.sing.click(sing, [seen, opened, *inputs], [trouble, opened, *shown], **quick)
    entered = inputs[0].submit(sing, [seen, opened, *inputs], [trouble, opened, *shown], **quick)
    picked = parts[-1].click(pick, [seen], [opened, *shown], **quick)
    for event in (asked, entered, picked):
        event.then(None, [opened], [], js=_REMEMBER)
    form.cancel.click(songs.cancel, [opened], [], **quick)
    reuse.click(fill, [opened], inputs, **quick)
    form.dice.click(forms.new_seed, [], [inputs[forms.FIELDS.index("seed")]], **quick)
    for prompt, button in zip(forms.PROMPTS, form.prompts, strict=True):
        button.click(lambda p=prompt: (p.caption, p.lyrics, ""), [], [*inputs[:2], trouble], **quick)
    gr.on([field.change for field in inputs], line, inputs, [form.line], trigger_mode="always_last", **quick)
    gr.on([field.input for field in inputs], lambda: "", [], [trouble], **quick)
    timer.tick(look, [opened, seen], [judge_note, *shown], **quick)
    page.load(arrive, [], [judge_note, *inputs, opened, *shown], **quick).then(line, inputs, [form.line], **quick)


def _judge_note(songs: Songs) -> str:
    """Told at the top of the page where nobody listens."""
    judge = songs.listener
    if judge.state in ("ready", "loading"):
        return ""
    said = forms.complaint(str(judge.reason)) if judge.state == "unavailable" else ""
    return said and f"{said}<p class='faint'>Songs are sung all the same.</p>"


def mount(app: FastAPI, songs: Songs) -> None:
    """Put the page at the root of an application."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    gr.mount_gradio_app(
        app,
        build_page(songs),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        max_file_size=1024,  # nothing is uploaded here
        theme=make_theme(),
        css_paths=[_HERE / "style.css"],
        head=f'<script>{script}</script><meta name="color-scheme" content="light dark">',
    )
