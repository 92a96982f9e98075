"""The verb ``route study``: the published study's figures, and what a router makes of its table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def study(
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Chance of a gain from which the best single variant is left.")
    ] = 0.8,
    sentences: Annotated[
        str, typer.Option(help="Sentence model that reads the genres' names; by default all-MiniLM-L6-v2.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="HTML page to write besides; none unless given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds, resamples and shuffles.")] = 0,
) -> None:
    """Reproduce the figures of the study with 30 genres and one song each, and fit a router to it."""
    from adapters.files import write_text_atomically
    from eval.study import read_study
    from router.errors import RouterError
    from router.features import Featuriser
    from router.sentences import load_sentence_model
    from router.sheet import open_output, print_findings
    from router.study import fit_study, measure_reference, tell_reference

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise RouterError(f"--out {out} is no page name: end it in .html")
    lattice = read_study()
    console = open_output()
    for line in tell_reference(measure_reference(lattice)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    featuriser = Featuriser(load_sentence_model(sentences) if sentences else load_sentence_model())
    with console.status("fitting without each genre in turn") as status:
        findings = fit_study(
            featuriser,
            lattice,
            confidence=confidence,
            seed=seed,
            progress=lambda done, count: status.update(f"fitted without {done} of {count} genres"),
        )
    print_findings(findings, console)
    if out is None:
        return
    from router.report.page import render_report

    try:
        write_text_atomically(out, render_report([findings]))
    except OSError as error:
        raise RouterError(f"{out} cannot be written ({error.strerror or error}): choose another --out") from error
    console.print(f"the page is in {out}", markup=False, highlight=False, soft_wrap=True)
