"""Measuring and fitting on the Evidence tab: what happens when their buttons are pressed.

Knows the panels and the services; how either looks is known there. Lists follow their runs by themselves in the
browser, and are drawn anew when one is started, ends or is done something with.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from engine.errors import ChoirmasterError, RequestError
from ui import evaluation_panel, refit_panel
from ui.desk import QUICK
from ui.evidence_desk import EvidenceDesk, Wanted
from ui.form import complaint
from ui.router_evidence import show_routing
from ui.run_list import show_runs

NO_EVALUATIONS = "Nothing was measured here yet."
NO_REFITS = "No router was fitted here yet."
#: A button that was pressed waits no more.
_DONE = """() => {
  for (const button of document.querySelectorAll('.runs [aria-busy]')) button.removeAttribute('aria-busy');
  return [];
}"""


def wire_evaluations(evidence: EvidenceDesk, panel: evaluation_panel.Panel, opened: Any) -> None:
    """Wire the panel of evaluations; ``opened`` is what happens when the tab is."""
    evaluations, inputs = evidence.evaluations, list(panel.inputs)
    if evaluations is None:
        return
    faults = [*panel.faults, panel.trouble]
    pace = gr.State(None)

    def runs() -> str:
        return show_runs("evaluation", [evaluation_panel.describe(one) for one in evaluations.listed()], NO_EVALUATIONS)

    def arrive(picked: list[str]) -> list[Any]:
        names, reason = ["base", *evidence.shelved()], evaluations.reason
        kept = [name for name in picked or [] if name in names] or names[: evaluation_panel.MOST]
        trouble = complaint(reason) if reason else ""
        return [
            gr.CheckboxGroup(names, value=kept),
            gr.Button(interactive=not reason),
            trouble,
            runs(),
            evidence.pace(),
        ]

    def estimate(took: float | None, *values: Any) -> list[str]:
        try:
            return [evaluation_panel.show_estimate(evaluation_panel.read_evaluation(values), took), *[""] * len(faults)]
        except RequestError as error:
            return ["", *evaluation_panel.split_faults(error, evaluation_panel.FAULTY)]

    def start(*values: Any) -> list[str]:
        try:
            evaluations.start(evaluation_panel.read_evaluation(values))
        except RequestError as error:
            return [*evaluation_panel.split_faults(error, evaluation_panel.FAULTY), runs()]
        except ChoirmasterError as error:
            return [*[""] * len(panel.faults), complaint(str(error)), runs()]
        return [*[""] * len(faults), runs()]

    def act(event: gr.EventData) -> list[str]:
        run, do = str(event._data.get("run") or ""), event._data.get("do")
        try:
            standing = evaluations.standing(run)
            if do == "cancel":
                evaluations.cancel(run)
            elif do == "remove":
                evaluations.remove(run)
            elif do == "resume" and standing is not None:
                evaluations.start(standing.request)
        except (ChoirmasterError, OSError) as error:
            return [complaint(str(error)), runs()]
        return ["", runs()]

    told = [panel.estimate, *faults]
    opened.then(arrive, [inputs[0]], [inputs[0], panel.start, panel.trouble, panel.runs, pace], **QUICK).then(
        estimate, [pace, *inputs], told, **QUICK
    )
    gr.on([field.change for field in inputs], estimate, [pace, *inputs], told, trigger_mode="always_last", **QUICK)
    panel.start.click(start, inputs, [*faults, panel.runs], **QUICK)
    panel.runs.click(act, [], [panel.trouble, panel.runs], **QUICK).then(None, [], [], js=_DONE)


def wire_refits(
    evidence: EvidenceDesk, panel: refit_panel.Panel, opened: Any, chosen: gr.State, router: gr.HTML
) -> None:
    """Wire the panel of refits; ``chosen``: what is looked at, ``router``: where it is said what the router knows."""
    refits, inputs = evidence.refits, list(panel.inputs)
    if refits is None:
        return
    faults = [*panel.faults, panel.trouble]

    def runs() -> str:
        return show_runs("refit", [refit_panel.describe(one) for one in refits.listed()], NO_REFITS)

    def start(wanted: Wanted, *values: Any) -> list[str]:
        try:
            refits.start(refit_panel.read_refit(evidence.chosen(wanted)[1], values))
        except RequestError as error:
            return [*evaluation_panel.split_faults(error, refit_panel.FAULTY), runs()]
        except ChoirmasterError as error:
            return [*[""] * len(panel.faults), complaint(str(error)), runs()]
        return [*[""] * len(faults), runs()]

    def act(event: gr.EventData) -> list[str]:
        run, do = str(event._data.get("run") or ""), event._data.get("do")
        try:
            if do == "cancel":
                refits.cancel(run)
            elif do == "remove":
                refits.remove(run)
            elif do == "use":
                refits.use(run)
            elif do == "restore":
                refits.restore()
        except (ChoirmasterError, OSError) as error:
            return [complaint(str(error)), runs(), show_routing(evidence.songs.routing)]
        return ["", runs(), show_routing(evidence.songs.routing)]

    opened.then(lambda: [refit_panel.show_picks(evidence.picks()), runs()], [], [panel.picks, panel.runs], **QUICK)
    panel.start.click(start, [chosen, *inputs], [*faults, panel.runs], **QUICK)
    panel.runs.click(act, [], [panel.trouble, panel.runs, router], **QUICK).then(None, [], [], js=_DONE)
    gr.on([field.input for field in inputs], lambda: [""] * len(faults), [], faults, **QUICK)
