"""A router fitted anew as it is asked for on the Evidence tab, and what earlier fits came to, as a list.

Knows the fields and how they become a request (``ui.refits``), with sentences for what is wrong with each; not how a
router is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from pydantic import ValidationError

from engine.errors import RequestError
from engine.request import find_faults
from eval.report.formats import say_composition, say_count, say_points
from ui.evaluation_panel import read_number
from ui.evidence_choice import Chosen
from ui.figures import say_moment
from ui.hints import hint, hinted
from ui.refits import RefitFindings, RefitRequest, RefitStanding
from ui.run_list import GOING, Action, Run

#: Fields that a person fills in, in the order of ``Panel.inputs``; source and judge are those that are looked at.
FIELDS = ("feedback_weight", "confidence")
#: Fields that have a place for what is wrong with them.
FAULTY = ("source", *FIELDS)


@dataclass(frozen=True)
class Panel:
    """The components; ``inputs`` in the order of ``FIELDS``, ``faults`` in that of ``FAULTY``. ``evidence`` says what
    is fitted to, ``picks`` how many votes there are."""

    evidence: gr.HTML
    inputs: tuple[Any, ...]
    faults: tuple[gr.HTML, ...]
    picks: gr.HTML
    start: gr.Button
    trouble: gr.HTML
    runs: gr.HTML


def build(js_on_load: str) -> Panel:
    """Lay the panel out inside the current block."""
    gr.HTML(
        '<h3 id="refit-title">Fit the router anew</h3><p>Learns from a measured table which composition to sing a '
        "prompt with, and tests itself on genres that it was not shown. It is used only when you say so.</p>"
    )
    evidence = gr.HTML(elem_id="refit-evidence")
    faults = [gr.HTML(elem_classes="field-fault")]
    with gr.Row(elem_classes="evidence-numbers"):
        with gr.Column(min_width=160):
            weight = gr.Textbox(
                "0", label="Weight of people’s picks", info="0 leaves them out.", max_lines=1, elem_id="refit-weight"
            )
            faults.append(gr.HTML(elem_classes="field-fault"))
        with gr.Column(min_width=160):
            sure = gr.Textbox(
                "0.8",
                label="How sure it must be",
                info="Chance of a gain from which it leaves its default, 0.5 to 0.99.",
                max_lines=1,
                elem_id="refit-sure",
            )
            faults.append(gr.HTML(elem_classes="field-fault"))
    picks = gr.HTML(elem_id="refit-picks")
    start = gr.Button("Start fitting", variant="primary", elem_id="refit-start")
    trouble = gr.HTML(elem_classes="field-fault", elem_id="refit-trouble")
    runs = gr.HTML(elem_id="refits", js_on_load=js_on_load)
    return Panel(evidence, (weight, sure), tuple(faults), picks, start, trouble, runs)


def read_refit(chosen: Chosen | None, values: Sequence[Any]) -> RefitRequest:
    """The request that the fields and what is looked at stand for.

    Raises:
        RequestError: one fault per wrong field; there is no table.
    """
    if chosen is None:
        raise RequestError("there is no measured table to fit a router to: measure some compositions first")
    given = dict(zip(FIELDS, map(read_number, values), strict=True))
    try:
        return RefitRequest.model_validate({"source": chosen.source.id, "judge": chosen.judge, **given})
    except ValidationError as error:
        raise RequestError.of(find_faults(error, RefitRequest, "a refit")) from None


def show_evidence(chosen: Chosen | None) -> str:
    """What a router would be fitted to: the table and judge that are looked at."""
    if chosen is None:
        return '<p class="note-box">There is no measured table to fit to.</p>'
    source = chosen.source
    return (
        f"<p>Fitted to the table chosen above: <b>{escape(source.title)}</b>, {say_count(source.songs, 'song')}, heard "
        f"by <b>{escape(chosen.judge)}</b> {hint('judge')}.</p>"
    )


def show_picks(picks: int) -> str:
    """How many votes of people there are."""
    said = (
        "No pick of a person is there yet."
        if not picks
        else f"There {'is' if picks == 1 else 'are'} {say_count(picks, 'pick')} of people."
    )
    return f'<p class="planned">{said} {hint("feedback_weight")}{hint("picks")}</p>'


def describe(standing: RefitStanding) -> Run:
    """A refit as a run of the list."""
    asked, going = standing.request, standing.state in GOING
    actions = [Action("Cancel", "cancel")] if going else []
    if standing.state == "done":
        actions.append(
            Action("Back to the router of the start", "restore") if standing.used else Action("Use this router", "use")
        )
        if standing.report:
            actions.append(Action("Its report", link=standing.report))
    if not going and not standing.used:
        actions.append(Action("Remove", "remove"))
    weight = f", picks weigh {asked.feedback_weight:g}" if asked.feedback_weight else ""
    judge = standing.findings.judge if standing.findings else asked.judge
    title = f"Fitted to {asked.source}, {judge or 'its first judge'}{weight}"
    marks = (say_moment(standing.created), *(("routes this server",) if standing.used else ()))
    return Run(
        standing.id, title, f"/v1/refits/{standing.id}", standing.state, say_standing(standing), standing.done,
        standing.total, standing.error, show_findings(standing.findings), marks, tuple(actions),
    )  # fmt: skip


def say_standing(standing: RefitStanding) -> str:
    """How far a refit is; ``browser/runs.js`` says the same while it runs."""
    if standing.state == "queued":
        return "Waiting for what was started before"
    if standing.state != "running":
        return ""
    of = f", {standing.done} of {standing.total}" if standing.total else ""
    return f"{standing.stage or 'Beginning'}{of}"


def show_findings(found: RefitFindings | None) -> str:
    """What a fit came to, in words."""
    if found is None:
        return ""
    gain = ""
    by = f", heard by {escape(found.scored_by)}" if found.scored_by else ""
    if found.gain is not None:
        ends = found.gain.low, found.gain.high
        within = f" ({say_points(ends[0])} to {say_points(ends[1])})" if None not in ends else ""
        gain = f"<li>{hinted('Gain', 'gain')}: <b>{say_points(found.gain.value)} points</b>{within}{by}</li>"
    signal = "Choosing by the prompt is shown to pay." if found.signal else (
        "Choosing by the prompt is not shown to pay, so the default is always taken."
    )  # fmt: skip
    first, *others = found.sentences or ("",)
    told = f"<li>{escape(first)}</li>" if first else ""
    terms = "".join(f"<p>{escape(said)}</p>" for said in others)
    more = f"<details><summary>The same in the terms of the field</summary>{terms}</details>" if terms else ""
    notes = "".join(f'<li class="faint">{escape(said)}</li>' for said in found.notes)
    return (
        f"<ul class='facts'><li><b>{signal}</b></li><li>{hinted('Default', 'default')}: "
        f"<b>{escape(say_composition(found.default))}</b>, {hinted('policy', 'policy')}: <b>{escape(found.policy)}</b>"
        f", of {say_count(found.prompts, 'prompt')} in {say_count(found.genres, 'genre')}</li>{gain}{told}{notes}</ul>"
        f"{more}"
    )
