"""The README's commands are real: every verb and option it shows exists, and its requests are valid."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.places import TINY_MODEL
from adapters.store import AdapterStore
from api.app import build_app
from api.bodies import read_cascade, read_comparison, read_route, read_song
from api.export_jobs import ExportJobs
from api.export_records import ExportRequest
from api.votes import VoteRequest
from choirmaster import VERBS, load
from engine.song_model import SongModel
from tests.ui.planted import make_songs
from ui.evaluations import EvaluationRequest, Evaluations
from ui.refits import RefitRequest, Refits
from ui.sources import Sources
from ui.voting import Voting

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CARD = (TINY_MODEL / "CARD.md").read_text(encoding="utf-8")
ADAPTERS = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ENGINE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
ROUTING = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
BENCH = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```\n(.*?)```", README + CARD + ADAPTERS + API + ENGINE + EVALUATION + ROUTING + BENCH, re.DOTALL)
COMMANDS = [line.replace("\\\n", " ") for block in BLOCKS for line in re.split(r"(?<!\\)\n", block) if line.strip()]


@pytest.mark.parametrize("line", [c for c in COMMANDS if "choirmaster" in c.split("|")[-1].split()[:1]])
def test_every_command_line_is_taken(line: str) -> None:
    _, verb, *arguments = shlex.split(line.split("|")[-1])
    assert verb in VERBS
    load(verb).make_context(verb, arguments)  # parses, raises on unknown options, runs nothing


def test_the_two_commands_are_in_the_makefile() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = [line.split()[1] for line in COMMANDS if line.startswith("make ")]
    assert shown == ["serve", "test"] and set(shown) <= set(targets)


def test_requests_shown_are_valid() -> None:
    asked = [line for line in COMMANDS if line.startswith("curl") and " -d " in line]
    read: dict[str, Callable[[bytes], object]] = {
        "songs": read_song,
        "route": read_route,
        "cascades": read_cascade,
        "compare": read_comparison,
        "vote": VoteRequest.model_validate_json,
        "exports": ExportRequest.model_validate_json,
        "evaluations": EvaluationRequest.model_validate_json,
        "refits": RefitRequest.model_validate_json,
    }
    assert len(asked) == 10
    for line in asked:
        arguments = shlex.split(line)
        [address] = [argument for argument in arguments if argument.startswith("localhost:")]
        parts = urlsplit(f"http://{address}").path.split("/")
        sent = arguments[arguments.index("-d") + 1].replace("SONG_ID", "0" * 16)
        read[parts[-1] if len(parts) > 3 else parts[2]](sent.encode())


def test_addresses_shown_are_there(random_model: SongModel, tmp_path: Path) -> None:
    shelf = AdapterStore(tmp_path / "shelf")
    songs = make_songs(random_model, tmp_path / "songs", None)
    with songs.engine:
        exports, voting = ExportJobs(tmp_path / "exports", shelf, "tiny"), Voting(songs, shelf, lambda: "0" * 16)
        sources = Sources(songs, tmp_path / "model")
        evaluations = Evaluations(songs, shelf, tmp_path / "model")
        refits = Refits(songs, sources, shelf, tmp_path / "model")
        app = build_app(
            songs,
            pages=False,
            shelf=shelf,
            exports=exports,
            voting=voting,
            sources=sources,
            evaluations=evaluations,
            refits=refits,
        )
        paths = [re.sub(r"\{\w+\}", "[^/]+", template) for template in app.openapi()["paths"]]
    shown = re.findall(r"localhost:7860(/[\w/.-]+)", README + API) + re.findall(r"(?:GET|POST|DELETE) (/[\w/.-]+)", API)
    assert len(shown) > 20
    assert not [path for path in shown if not any(re.fullmatch(known, path) for known in [*paths, "/v1/openapi.json"])]


@pytest.mark.parametrize(
    "document",
    ["README.md", "docs/engine.md", "docs/evaluation.md", "docs/page.md", "docs/routing.md", "bench/README.md"],
)
def test_linked_files_are_there(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\(([^)#:]+)", path.read_text(encoding="utf-8"))
    assert links and all((path.parent / link).is_file() for link in links)


def test_the_figures_are_those_measured() -> None:
    found = json.loads((TINY_MODEL / "targets.json").read_text(encoding="utf-8"))
    assert found["limit"] is None and found["measured"] == found["planned"]
    for figure in found["figures"]:
        wer = figure["wer"]
        row = f"| {figure['label']} | {figure['clips']} | {wer['estimate']:.3f} | {wer['low']:.3f}–{wer['high']:.3f} |"
        assert row in README, row
    pooled = json.loads((TINY_MODEL / "targets-covered.json").read_text(encoding="utf-8"))
    for figure in (f for f in pooled["figures"] if "well-covered" in f["label"]):
        wer = figure["wer"]
        row = f"| {figure['label']}, {pooled['takes']} takes | {figure['clips']} | {wer['estimate']:.3f} |"
        assert row in README, row
    for genre in found["genres"]:
        star = " \\*" if genre["well_covered"] else ""
        assert f"| {genre['genre']}{star} | {genre['line_wer']:.2f} | {genre['song_wer']:.2f} |" in README
