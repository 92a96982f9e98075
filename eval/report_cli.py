"""The verb ``eval report``: the folder of an evaluation to one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that `choirmaster eval` wrote into.")],
    out: Annotated[Path | None, typer.Option(help="Page to write; by default report.html in the folder.")] = None,
    judge: Annotated[
        str | None, typer.Option(help="Judge the page is about, as the table names it; by default its first.")
    ] = None,
    songs: Annotated[int, typer.Option(min=0, max=100, help="Songs to play in the page, half best, half worst.")] = 12,
    prompts: Annotated[int, typer.Option(min=0, max=20, help="Prompts to draw attention maps of.")] = 3,
    megabytes: Annotated[float, typer.Option(min=0, max=500, help="Most that sounds and pictures may weigh.")] = 20.0,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write one page with everything an evaluation found: figures, pictures, and songs to hear."""
    from adapters.files import write_text_atomically
    from engine.errors import ChoirmasterError
    from eval.report.page import render_report
    from eval.report.sections import Options
    from eval.results import Results

    page = out or folder / "report.html"
    if page.suffix.lower() not in (".html", ".htm"):
        raise ChoirmasterError(f"--out {page} is no page name: end it in .html")
    text = render_report(Results(folder), Options(judge, songs, prompts, megabytes))
    try:
        write_text_atomically(page, text)
    except OSError as error:
        raise ChoirmasterError(f"{page} cannot be written ({error.strerror or error}): choose another --out") from error
    typer.echo(f"the report is in {page} ({len(text.encode()) / 1e6:.1f} MB)")
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
