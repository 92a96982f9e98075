"""A small evaluation as it is asked for on the Evidence tab, what it would cost, and the earlier ones as a list.

Knows the fields and how they become a request (``ui.evaluations``), with sentences for what is wrong with each. Knows
nothing of how songs are sung or heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import Any

import gradio as gr
from pydantic import ValidationError

from adapters.composition import format_composition, parse_composition
from adapters.errors import AdapterError
from engine.errors import Fault, RequestError
from engine.request import find_fault
from eval.report.formats import say_composition, say_count, say_list
from ui.evaluations import EvaluationRequest, EvaluationStanding
from ui.figures import say_moment
from ui.hints import hint
from ui.run_list import GOING, Action, Run
from ui.standings import Standing
from ui.stored import number

#: In the order of ``Panel.inputs``; the first two together are the compositions.
FIELDS = ("compositions", "more", "prompts", "genres", "seeds")
#: Fields that have a place for what is wrong with them.
FAULTY = ("compositions", "genres", "seeds")
MOST = 8
_PROMPTS = [("thirty prompts nobody trains on", "test"), ("prompts for fitting a router", "router")]


@dataclass(frozen=True)
class Panel:
    """The components; ``inputs`` in the order of ``FIELDS``, ``faults`` in that of ``FAULTY``."""

    inputs: tuple[Any, ...]
    faults: tuple[gr.HTML, ...]
    estimate: gr.HTML
    start: gr.Button
    trouble: gr.HTML
    runs: gr.HTML


def build(js_on_load: str) -> Panel:
    """Lay the panel out inside the current block."""
    gr.HTML(
        '<h3 id="evaluate-title">Measure compositions here</h3><p>The same prompts, sung by every composition from the '
        "same noise, heard by the judge. Songs that people wait for go first, and these do not fill History.</p>"
    )
    compositions = gr.CheckboxGroup([], label="Compositions", elem_id="evaluate-compositions")
    more = gr.Textbox(
        label="Other compositions",
        info="One a line, such as lyrics=0.6,nolyrics=0.4.",
        placeholder="lyrics=0.6,nolyrics=0.4",
        lines=1,
        max_lines=8,
        elem_id="evaluate-more",
    )
    faults = [gr.HTML(elem_classes="field-fault")]
    prompts = gr.Radio(_PROMPTS, value="test", label="Prompts", elem_id="evaluate-prompts")
    with gr.Row(elem_classes="evidence-numbers"):
        with gr.Column(min_width=120):
            genres = gr.Textbox(
                "6", label="Genres", info="1 to 30, a prompt each.", max_lines=1, elem_id="evaluate-genres"
            )
            faults.append(gr.HTML(elem_classes="field-fault"))
        with gr.Column(min_width=120):
            seeds = gr.Textbox("1", label="Seeds", info="1 to 4 songs of each.", max_lines=1, elem_id="evaluate-seeds")
            faults.append(gr.HTML(elem_classes="field-fault"))
    estimate = gr.HTML(elem_id="evaluate-estimate")
    start = gr.Button("Start measuring", variant="primary", elem_id="evaluate-start")
    trouble = gr.HTML(elem_classes="field-fault", elem_id="evaluate-trouble")
    runs = gr.HTML(elem_id="evaluations", js_on_load=js_on_load)
    return Panel((compositions, more, prompts, genres, seeds), tuple(faults), estimate, start, trouble, runs)


def read_evaluation(values: Sequence[Any]) -> EvaluationRequest:
    """The request that the fields stand for.

    Raises:
        RequestError: one fault per wrong field.
    """
    given = dict(zip(FIELDS, values, strict=True))
    faults, names = list[Fault](), list[str]()
    typed = (line.strip() for line in str(given["more"] or "").splitlines())
    for line in [*map(str, given["compositions"] or []), *filter(None, typed)]:
        try:
            names.append(format_composition(parse_composition(line)))
        except AdapterError as error:
            faults.append(Fault("compositions", str(error)))
    numbers = {name: read_number(given[name]) for name in ("genres", "seeds")}
    fields = {"compositions": tuple(dict.fromkeys(names)), "prompts": given["prompts"], **numbers}
    try:
        request = EvaluationRequest.model_validate(fields)
    except ValidationError as error:
        raise RequestError.of(faults + [_fault(one) for one in error.errors()]) from None
    if faults:
        raise RequestError.of(faults)
    return request


def read_number(typed: Any) -> Any:
    """A number that somebody typed, or the text where it is none."""
    text = str(typed or "").strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def split_faults(error: RequestError, fields: Sequence[str]) -> list[str]:
    """What is wrong with each of the fields, as HTML, and at the end what is with none of them."""
    said = [" ".join(escape(f.message) for f in error.faults if f.field == name) for name in fields]
    rest = "; ".join(f.told for f in error.faults if f.field not in fields) if error.faults else str(error)
    return [f'<p class="fault" role="alert">{text}</p>' if text else "" for text in (*said, escape(rest))]


def show_estimate(request: EvaluationRequest, pace: float | None) -> str:
    """What a request would cost; ``pace``: seconds a song takes to be sung and heard, where that is known."""
    compositions, songs = len(request.compositions), len(request.compositions) * request.genres * request.seeds
    product = " × ".join((
        f"{say_count(request.genres, 'prompt')} {hint('evaluation_genres')}",
        f"{say_count(compositions, 'composition')} {hint('composition')}",
        f"{say_count(request.seeds, 'seed')} {hint('evaluation_seeds')}",
    ))  # fmt: skip
    time = (
        f"about {say_time(pace * songs)} {hint('seconds_left')}"
        if pace
        else "how long that takes is told once the first are sung"
    )
    one = "" if compositions > 1 else " With one composition there is nothing to compare it with."
    few = " Of fewer than ten prompts no intervals are given." if request.genres < 10 and compositions > 1 else ""
    return f'<p class="planned"><strong>{say_count(songs, "song")}</strong> ({product}), {time}.{one}{few}</p>'


def measure_pace(stored: Sequence[Standing]) -> float | None:
    """Seconds that a song took to be sung and heard, the median of stored ones; None where there are none."""
    took = []
    for standing in stored:
        spent = (standing.record or {}).get("spent")
        sung = sum(map(number, spent.values())) if isinstance(spent, dict) else 0.0
        if sung:
            took.append(sung + number((standing.judged or {}).get("seconds")))
    return median(took) if took else None


def say_time(seconds: float) -> str:
    """A time as one speaks of it, ``40 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds)):d} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def describe(standing: EvaluationStanding) -> Run:
    """An evaluation as a run of the list."""
    asked, going = standing.request, standing.state in GOING
    title = f"{say_count(asked.genres, 'genre')}, {say_list([say_composition(c) for c in asked.compositions])}"
    actions = []
    if going:
        actions.append(Action("Cancel", "cancel"))
    else:
        if standing.heard:
            actions.append(Action("Show its table", go="evidence", source=standing.id))
        if standing.state in ("cancelled", "failed"):
            actions.append(Action("Go on where it was", "resume"))
        actions.append(Action("Remove", "remove"))
    about = ""
    if standing.failed:
        failed = "".join(
            f"<li>{escape(f'{one.prompt}, seed {one.seed}, {say_composition(one.composition)}: {one.reason}')}</li>"
            for one in standing.failures
        )
        songs = say_count(standing.failed, "song")
        about = f"<details><summary>{songs} could not be sung or heard</summary><ul>{failed}</ul></details>"
    return Run(
        standing.id, title, f"/v1/evaluations/{standing.id}", standing.state, say_standing(standing), standing.heard,
        standing.total, standing.error, about,
        (say_count(asked.seeds, "seed"), say_moment(standing.created)), tuple(actions),
    )  # fmt: skip


def say_standing(standing: EvaluationStanding) -> str:
    """How far an evaluation is; ``browser/runs.js`` says the same while it runs."""
    if standing.state == "queued":
        return "Waiting for what was started before"
    left = standing.seconds_left
    time = f", about {say_time(left)} left" if left is not None and standing.state == "running" else ""
    return f"{standing.sung} of {standing.total} songs sung, {standing.heard} heard{time}"


def _fault(error: Any) -> Fault:
    if error["loc"] == ("compositions",) and error["type"] in ("too_long", "too_short"):
        said = f"more than {MOST} compositions" if error["type"] == "too_long" else "no composition is chosen"
        return Fault("compositions", f"{said}: choose one to eight")
    return find_fault(error, EvaluationRequest, "an evaluation")
