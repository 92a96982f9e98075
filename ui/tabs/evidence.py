"""The Evidence tab: what was measured, with its songs, what the router knows, and measuring and fitting here.

Figures are worked out beside the requests (``ui.evidence_views``) and only once the tab is opened. Which table is
looked at is remembered by the session alone, and may be told with ``?tab=evidence&source=ID``.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui import evaluation_panel, refit_panel
from ui.desk import QUICK, Desk
from ui.evidence_desk import EvidenceDesk, Wanted
from ui.evidence_runs import wire_evaluations, wire_refits

_JUMPS = (
    '<nav aria-label="Parts of this tab"><ul><li><a href="#heat-title">Genre by genre</a></li>'
    '<li><a href="#router-title">What the router knows</a></li><li><a href="#evaluate-title">Measure here</a></li>'
    '<li><a href="#refit-title">Fit the router anew</a></li></ul></nav>'
)
#: Seconds between two looks at whether a view is worked out.
LOOK_EVERY = 0.5
# What is drawn anew takes the focus with it: it is given to what stands in its place.
_KEEP_FOCUS = """
let last = '';
element.addEventListener('focusin', (event) => { last = event.target.name || event.target.dataset.run || ''; });
element.addEventListener('focusout', (event) => { if (event.relatedTarget) last = ''; });
new MutationObserver(() => {
  const again = last && document.activeElement === document.body
    && element.querySelector(`[name="${last}"], [data-run="${last}"]`);
  if (again) again.focus();
}).observe(element, { childList: true, subtree: true });
"""
_CHOICE = f"""{_KEEP_FOCUS}
element.addEventListener('change', (event) => {{
  const picked = (name) => element.querySelector(`select[name=${{name}}]`).value;
  const judge = event.target.name === 'judge' ? picked('judge') : '';
  trigger('click', {{ source: picked('source'), judge }});
}});
"""
_CELL = """
element.addEventListener('click', (event) => {
  const cell = event.target.closest('button.cell');
  if (cell) trigger('click', { genre: cell.dataset.genre, composition: cell.dataset.composition });
  else if (event.target.closest('button.close-cell')) trigger('click', { close: true });
});
"""
_RUNS = f"""{_KEEP_FOCUS}
element.addEventListener('click', (event) => {{
  const button = event.target.closest('button[data-do]');
  if (!button || button.dataset.go || button.getAttribute('aria-busy')) return;
  button.setAttribute('aria-busy', 'true');
  trigger('click', {{ run: button.dataset.run, do: button.dataset.do }});
}});
element.addEventListener('run-ended', () => trigger('click', {{ do: 'look' }}));
"""
_FOCUS_CELL = "() => { window.choirmaster.tell('cell-shown'); return []; }"
_FOCUS_RESULT = "() => { window.choirmaster.tell('source-shown'); return []; }"


def build(desk: Desk) -> None:
    """Lay it out inside the current block, and wire it."""
    evidence = EvidenceDesk(desk.services)
    chosen, seen = gr.State({}), gr.State({})
    timer = gr.Timer(LOOK_EVERY, active=False)
    with gr.Column(elem_id="evidence"):
        gr.HTML(_JUMPS, elem_id="evidence-jumps")
        choice = gr.HTML(elem_id="evidence-choice", js_on_load=_CHOICE)
        state = gr.HTML(elem_id="evidence-state")
        result = gr.HTML(elem_id="evidence-result")
        heat = gr.HTML(elem_id="evidence-heat", js_on_load=_CELL)
        cell = gr.HTML(elem_id="evidence-cell", js_on_load=_CELL)
        more = gr.HTML(elem_id="evidence-more")
        router = gr.HTML(elem_id="evidence-router")
        with gr.Column(elem_id="evaluate", elem_classes="card", visible=evidence.evaluations is not None):
            evaluating = evaluation_panel.build(_RUNS)
        with gr.Column(elem_id="refit", elem_classes="card", visible=evidence.refits is not None):
            refitting = refit_panel.build(_RUNS)

    parts = {"choice": choice, "state": state, "result": result, "heat": heat, "more": more, "router": router}
    shown = [*parts.values(), refitting.evidence, seen, timer]

    def look(wanted: Wanted, last: dict[str, Any]) -> list[Any]:
        """All parts where any has changed, what has been seen, and whether to look again.

        Looks may overtake each other: what one sends is whole, so that the page never shows parts of two.
        """
        content, going = evidence.look(wanted)
        seen = {"wanted": wanted, **content}
        updates = [gr.skip()] * (len(content) + 1) if seen == last else [*content.values(), seen]
        return [*updates, gr.Timer(active=going)]

    def check(wanted: Wanted, last: dict[str, Any]) -> Any:
        """Look again where what was shown last is not what is wanted by now."""
        return gr.skip() if last.get("wanted") == wanted else gr.Timer(active=True)

    def pick(event: gr.EventData) -> tuple[Wanted, str]:
        wanted = {name: str(event._data.get(name) or "")[:200] for name in ("source", "judge")}
        evidence.ask(wanted)
        return wanted, ""

    def arrive(request: gr.Request) -> list[Any]:
        query = request.query_params
        if query.get("tab") != "evidence":
            return [gr.skip()] * 2
        wanted = {"source": str(query.get("source") or "")[:64]}
        evidence.ask(wanted)
        return [wanted, gr.Timer(active=True)]

    def open_cell(wanted: Wanted, event: gr.EventData) -> str:
        if event._data.get("close"):
            return ""
        return evidence.cell(wanted, str(event._data.get("genre") or ""), str(event._data.get("composition") or ""))

    def follow(event: Any) -> Any:
        shows = event(look, [chosen, seen], shown, **QUICK)
        shows.then(check, [chosen, seen], [timer], **QUICK)
        return shows

    desk.page.load(arrive, [], [chosen, timer], **QUICK)
    opened = desk.tab.select(evidence.ask, [chosen], [], **QUICK)
    follow(opened.then)
    follow(choice.click(pick, [], [chosen, cell], **QUICK).then)
    follow(desk.command.click(pick, [], [chosen, cell], **QUICK).then).then(None, [], [], js=_FOCUS_RESULT)
    follow(timer.tick)
    for table in (heat, cell):
        table.click(open_cell, [chosen], [cell], **QUICK).then(None, [], [], js=_FOCUS_CELL)
    wire_evaluations(evidence, evaluating, opened)
    wire_refits(evidence, refitting, opened, chosen, router)
