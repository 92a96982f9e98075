"""The verb ``curves``: training logs of adapters to one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def curves(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `choirmaster train` wrote into.")],
    out: Annotated[Path, typer.Option(help="Picture to write, a .png.")] = Path("outputs/curves.png"),
) -> None:
    """Draw loss, validation and attention of training runs side by side."""
    from adapters.files import write_bytes_atomically
    from eval.curves import CurveError, draw_curves, read_curves

    if out.suffix.lower() != ".png":
        raise CurveError(f"--out {out} is no picture name: end it in .png")
    names = [run.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run) for run in runs]
    picture = draw_curves({name: read_curves(run) for name, run in zip(names, runs, strict=True)})
    try:
        write_bytes_atomically(out, picture)
    except OSError as error:
        raise CurveError(f"{out} cannot be written ({error.strerror or error}): choose another --out") from error
    typer.echo(f"the curves of {len(runs)} runs are in {out}")
