"""The page: a masthead and five tabs, mounted at the root of an application.

Puts the tabs of ``ui.tabs`` together. What the page does without the server is in ``browser``: modules and styles that
are served as they are.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from ui.client_api import keep_tools, offer_calls
from ui.desk import QUICK, TABS, Desk, Services, make_command
from ui.form import complaint
from ui.own_routes import OwnRoutes
from ui.songs import Songs
from ui.tabs import adapters, compare, evidence, history, sing
from ui.theme import HEADER, make_theme

BROWSER = Path(__file__).parent / "browser"
#: Where the files of ``browser`` are served.
FILES = "/page"
#: Styles in their order.
STYLES = ("base", "connection", "sing", "attention", "compare", "shelf", "evidence", "history")
#: Seconds between two looks at whether anybody listens.
LOOK_EVERY = 2.0
#: Calls of programs that may wait for their songs at once, as many as there are songs that may wait by default.
MAX_CALLS = 256
_BUILDERS: dict[str, ModuleType] = {
    "sing": sing,
    "compare": compare,
    "adapters": adapters,
    "evidence": evidence,
    "history": history,
}


def build_page(services: Services, routes: OwnRoutes | None = None) -> gr.Blocks:
    """The Blocks of the page over its services, and with the application's routes what programs may call."""
    # After every call Gradio would sum up all calls there ever were, for a panel that is not shown here.
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
    page = gr.Blocks(title="Choirmaster", analytics_enabled=False)
    with page:
        if routes is not None:  # first, since events of the tabs take the names of their functions, private as they are
            offer_calls(routes)
        gr.HTML(HEADER, elem_id="masthead")
        gr.HTML(elem_id="connection")
        judge_note = gr.HTML(elem_id="judge-note")
        commands = {name: make_command(name) for name in TABS}
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            for name, title in TABS.items():
                # All are there from the beginning: what is sent to a tab that nobody has opened yet must not be lost.
                with gr.Tab(title, id=name, elem_id=f"tab-{name}", render_children=True) as tab:
                    _BUILDERS[name].build(Desk(services, page, tab, commands[name]))
        page.load(lambda: _judge_note(services.songs), [], [judge_note], **QUICK)
        gr.Timer(LOOK_EVERY).tick(lambda: _judge_note(services.songs), [], [judge_note], **QUICK)
    # Gradio takes 40 for no word of ours, and would let the 41st call wait while the engine has places.
    page.max_threads = MAX_CALLS
    page.queue(default_concurrency_limit=None)
    return page


def _judge_note(songs: Songs) -> str:
    """Told at the top of the page where nobody listens."""
    judge = songs.listener
    if judge.state in ("ready", "loading"):
        return ""
    said = complaint(str(judge.reason)) if judge.state == "unavailable" else ""
    return said and f"{said}<p class='faint'>Songs are sung all the same.</p>"


class Files(StaticFiles):
    """Files that a browser asks about again: after an upgrade none of them may be of before."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def mount(app: FastAPI, services: Services) -> None:
    """Put the page at the root of an application."""
    app.mount(FILES, Files(directory=BROWSER), name="page")
    early = (BROWSER / "early.js").read_text(encoding="utf-8")
    page = build_page(services, OwnRoutes(app))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=True,
        max_file_size=1024,  # nothing is uploaded here
        theme=make_theme(),
        css_paths=[BROWSER / f"{name}.css" for name in STYLES],
        head=f'<script>{early}</script><script type="module" src="{FILES}/main.js"></script>'
        '<meta name="color-scheme" content="light dark">',
    )
    keep_tools(page)
