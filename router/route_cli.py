"""The verb ``route``: what a fitted router says to a prompt, and whether to believe it.

Its other words: ``test`` tries a router on songs of prompts it never saw, ``report`` makes a page of what was found,
``study`` fits one to the published study. Nothing sings here.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from adapters.places import SHELF, TINY_MODEL
from router.study_cli import study

if TYPE_CHECKING:
    from router.findings import Findings

#: The router that ships beside the embedded model.
ROUTER = TINY_MODEL / "router.json"

app = typer.Typer(name="route", add_completion=False, help="Ask a router which composition a prompt needs, or test it.")
app.command("study")(study)


@app.callback(invoke_without_command=True)
def route(
    context: typer.Context,
    caption: Annotated[str, typer.Option(help="Description of the music.")] = "",
    tags: Annotated[str, typer.Option(help="Tags, parted by commas.")] = "",
    lyrics: Annotated[str, typer.Option(help="What is to be sung; nothing is an instrumental.")] = "",
    lyrics_file: Annotated[Path | None, typer.Option(help="File with the lyrics, in place of --lyrics.")] = None,
    router: Annotated[Path, typer.Option(help="Router that `choirmaster fit` wrote.")] = ROUTER,
    shelf: Annotated[Path, typer.Option(help="Folder of adapters; one that is not there is not chosen.")] = SHELF,
    model: Annotated[
        str, typer.Option(help="Song model the router must be fitted for, a folder or hub id; by default any.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole decision as JSON.")] = False,
) -> None:
    """Say which composition a prompt needs, with the predicted word error rate of every candidate, and why."""
    if context.invoked_subcommand is not None:
        return
    from adapters.fingerprints import fingerprint_shelf
    from router.prompt import read_prompt
    from router.router import Router
    from router.sheet import open_output, print_decision

    prompt = read_prompt(caption, [tag.strip() for tag in tags.split(",") if tag.strip()], _read(lyrics, lyrics_file))
    found = Router.load(router)
    if model:
        found.check(_fingerprint(Path(model)))
    decision = found.route(prompt, fingerprint_shelf(shelf))
    if as_json:
        typer.echo(json.dumps(decision.as_json(), ensure_ascii=False, allow_nan=False, indent=1))
    else:
        print_decision(decision, open_output())


@app.command("test")
def test_router(
    table: Annotated[Path, typer.Argument(help="Results table of prompts that the router was not fitted to.")],
    router: Annotated[Path, typer.Option(help="Router that `choirmaster fit` wrote.")] = ROUTER,
    out: Annotated[Path, typer.Option(help="JSON file for what is found.")] = Path("outputs/router-test.json"),
    seed: Annotated[int, typer.Option(min=0, help="Of splits and resamples.")] = 0,
) -> None:
    """Score a router, its cascades and all their rivals on songs of prompts it never saw."""
    from dataclasses import asdict, replace

    from eval.lattice import make_lattice
    from eval.table import read_table
    from router.gaps import describe_gaps, describe_origin, keep_compositions
    from router.router import Router
    from router.sheet import open_output, print_findings
    from router.trial import try_router

    _check_name(out, ".json")
    asked, songs = Router.load(router), read_table(table)
    findings = try_router(asked, songs, seed=seed)
    heard = keep_compositions(songs, findings.compositions)
    gaps = describe_gaps(songs, asked.file.judge, make_lattice(heard, asked.file.judge))
    for note in (*describe_origin(songs.about, findings.compositions), *filter(None, [gaps])):
        typer.echo(f"Note: {note}.", err=True)
    findings = replace(findings, command=shlex.join(["choirmaster", *sys.argv[1:]]))
    _write(out, json.dumps(asdict(findings), ensure_ascii=False, allow_nan=False) + "\n")
    print_findings(findings, open_output())
    typer.echo(f"what was found is in {out}; `choirmaster route report {router} --test {out}` makes a page of it")


@app.command("report")
def report(
    router: Annotated[Path, typer.Argument(help="Router that `choirmaster fit` wrote.")] = ROUTER,
    test: Annotated[Path | None, typer.Option(help="What `choirmaster route test` found, to stand first.")] = None,
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("outputs/router.html"),
    curves: Annotated[
        Path | None, typer.Option(help="Picture of the cascades to write besides, .png or .svg; of the test, if given.")
    ] = None,
) -> None:
    """Write one page with everything that fitting and testing a router found."""
    from router.report.page import render_report
    from router.router_file import read_router_file

    _check_name(out, ".html", ".htm")
    if curves is not None:
        _check_name(curves, ".png", ".svg", option="--curves")
    found = [read_router_file(router).findings]
    if test is not None:
        found.insert(0, _read_test(test))
    text = render_report(found)
    _write(out, text)
    typer.echo(f"the page is in {out} ({len(text.encode()) / 1e3:.0f} kB)")
    if curves is not None:
        from router.report.figures import draw_curves

        form: Literal["png", "svg"] = "svg" if curves.suffix.lower() == ".svg" else "png"
        _write(curves, draw_curves(found[0], form=form))
        typer.echo(f"the picture of the cascades is in {curves}")


def _read(lyrics: str, file: Path | None) -> str:
    from router.errors import RouterError
    from router.prompt import MAX_LYRICS

    if file is None:
        return lyrics
    if lyrics:
        raise RouterError("--lyrics and --lyrics-file are both given: choose one")
    try:
        if (size := file.stat().st_size) > 4 * MAX_LYRICS:  # bytes of the widest characters
            raise RouterError(f"{file} holds {size:,} bytes, lyrics at most {MAX_LYRICS:,} characters: give fewer")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RouterError(f"the lyrics {file} cannot be read ({error}): give a text file in UTF-8") from error


def _read_test(path: Path) -> Findings:
    from pydantic import ValidationError

    from router.errors import RouterError
    from router.findings import read_findings

    try:
        found = read_findings(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else str(error).splitlines()[0][:120]
        raise RouterError(
            f"{path} is no test of a router ({reason}): `choirmaster route test TABLE --out {path}` makes one"
        ) from error
    if found.kind != "test":
        raise RouterError(f"{path} tells of fitting a router, not of testing one: name what `route test` wrote")
    return found


def _fingerprint(model: Path) -> str:
    from adapters.fingerprints import fingerprint_model
    from router.errors import RouterError

    try:
        return fingerprint_model(model)
    except OSError as error:
        raise RouterError(f"{error.filename} cannot be read ({error.strerror}): mend its permissions") from error


def _check_name(out: Path, *endings: str, option: str = "--out") -> None:
    from router.errors import RouterError

    if out.is_dir() or out.suffix.lower() not in endings:
        raise RouterError(f"{option} {out} is no name for it: end it in {endings[0]}")


def _write(out: Path, content: str | bytes) -> None:
    from adapters.files import write_bytes_atomically
    from router.errors import RouterError

    try:
        write_bytes_atomically(out, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise RouterError(f"{out} cannot be written ({error.strerror or error}): choose another --out") from error
