"""The OpenAPI document is true: requests made from it at random, right and wrong, get the answers it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import positive_data_acceptance

from adapters.lora_export import write_lora
from api.app import build_app
from api.export_jobs import ExportJobs
from api.guard import Access
from engine.settings import EngineSettings
from engine.song_model import SongModel
from tests.router.planted_router import Words
from tests.shelf import make_shelf, planted
from tests.ui.planted import FakeJudge, FakeRouter, make_songs, settle
from tests.ui.planted_tables import plant_prompts, plant_results
from ui.evaluations import Evaluations
from ui.refits import Refits
from ui.sources import Sources

#: Where a request may hold what no schema can tell: words that can be sung, adapters that are there, fields that
#: exclude each other.
MORE_THAN_A_SCHEMA = {"/v1/songs", "/v1/compare", "/v1/cascades", "/v1/exports", "/v1/exports/estimate", "/v1/adapters"}
MORE_THAN_A_SCHEMA |= {"/v1/evaluations", "/v1/refits"}


@pytest.fixture(scope="module")
def app(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder = tmp_path_factory.mktemp("document")
    shelf = make_shelf(folder / "shelf", random_model.transformer)
    songs = make_songs(random_model, folder / "songs", FakeJudge(), shelf, EngineSettings(max_queue=4), FakeRouter())
    plant_results(songs.store.folder / "eval")
    settle(songs.routing)
    exports = ExportJobs(folder / "exports", shelf, folder / "model")
    sources = Sources(songs, folder / "model")
    app = build_app(
        songs,
        pages=False,
        access=Access(hosts=frozenset({"testserver"})),
        shelf=shelf,
        exports=exports,
        sources=sources,
        evaluations=Evaluations(songs, shelf, folder / "model"),
        refits=Refits(songs, sources, shelf, folder / "model", Words),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ui.evaluation_run.PROMPTS", plant_prompts(folder))
        yield app
    asgi.shutdown_lifespans()


#: How operations are tried: right values, wrong ones.
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
EXAMPLES = 10


def try_operation(operation: Any, mode: GenerationMode, excluded: list[Any]) -> Exception | None:
    """What is wrong with the answers to requests made for an operation, or that none could be made."""
    tried = 0

    @seed(0)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal tried
        tried += 1
        case.call_and_validate(excluded_checks=excluded)

    try:
        ask()
    except Unsatisfiable:
        pass
    except Exception as error:
        return error
    if tried == 0 and (mode == GenerationMode.POSITIVE or operation.body or operation.query):
        return AssertionError(f"{operation.label} was not tried with {mode.value} values")
    return None  # without fields there is nothing to be got wrong


#: Of every route that takes a body, one that it must accept, and the answer.
KNOWN_GOOD: dict[str, tuple[dict[str, Any], int]] = {
    "/v1/songs": ({"json": {"caption": "folk", "lyrics": "hello", "composition": "folk=0.5", "steps": 1}}, 202),
    "/v1/compare": ({"json": {"lyrics": "hello", "steps": 1, "compositions": ["base", {"rock": 1}]}}, 202),
    "/v1/route": ({"json": {"caption": "folk", "tags": ["slow"], "lyrics": "hello"}}, 200),
    "/v1/cascades": ({"json": {"lyrics": "hello", "steps": 1, "budget": 2, "stop_wer": 0, "retry": "seeds"}}, 202),
    "/v1/exports": ({"json": {"composition": {"folk": 0.5, "rock": 0.5}, "format": "comfyui", "rank": 2}}, 202),
    "/v1/exports/estimate": ({"json": {"composition": "folk", "format": "peft"}}, 200),
    "/v1/evaluations": ({"json": {"compositions": ["base", "folk=0.5"], "genres": 1}}, 202),
    "/v1/refits": ({"json": {"source": "eval", "judge": "second", "feedback_weight": 1}}, 202),
    "/v1/adapters": ({"data": {"name": "mine", "description": "a folk voice"}}, 201),
}


def test_every_route_with_a_body_takes_a_good_one(app: FastAPI, random_model: SongModel, tmp_path: Path) -> None:
    weights = write_lora(planted(random_model.transformer, "folk"), tmp_path, "comfyui").read_bytes()
    posted = {p for p, operations in app.openapi()["paths"].items() if "requestBody" in operations.get("post", {})}
    assert posted == KNOWN_GOOD.keys()
    client = TestClient(app, "http://localhost")  # its lifespan does not run: the other test may still need the songs
    for path, (body, status) in KNOWN_GOOD.items():
        answer = client.post(path, **body, files={"weights": weights} if "data" in body else None)
        assert answer.status_code == status, answer.text


def test_every_answer_is_one_the_document_names(app: FastAPI) -> None:
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    operations: list[Any] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert {operation.path for operation in operations} == set(app.openapi()["paths"])
    failures: list[Exception] = []
    for operation in operations:
        excluded = [positive_data_acceptance] if operation.path in MORE_THAN_A_SCHEMA else []
        failures += filter(None, (try_operation(operation, mode, excluded) for mode in MODES))
    if failures:
        raise ExceptionGroup("the document and the server differ", failures)
