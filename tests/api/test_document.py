"""The OpenAPI document is true: requests made from it at random, right and wrong, get the answers it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.app import build_app
from api.export_jobs import ExportJobs
from api.guard import Access
from engine.settings import EngineSettings
from engine.song_model import SongModel
from tests.shelf import make_shelf
from tests.ui.planted import make_songs

#: Where a request may hold what no schema can tell: words that can be sung, adapters that are there, fields that
#: exclude each other.
MORE_THAN_A_SCHEMA = {"/v1/songs", "/v1/compare", "/v1/exports", "/v1/adapters"}


@pytest.fixture(scope="module")
def app(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder = tmp_path_factory.mktemp("document")
    shelf = make_shelf(folder / "shelf", random_model.transformer)
    songs = make_songs(random_model, folder / "songs", None, shelf, EngineSettings(max_queue=4))
    exports = ExportJobs(folder / "exports", shelf, folder / "model")
    app = build_app(songs, pages=False, access=Access(hosts=frozenset({"testserver"})), shelf=shelf, exports=exports)
    yield app
    asgi.shutdown_lifespans()


#: How operations are tried: right values, wrong ones.
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
EXAMPLES = 10


def try_operation(operation: Any, mode: GenerationMode, excluded: list[Any]) -> Exception | None:
    """What is wrong with the answers to requests made for an operation."""

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
        case.call_and_validate(excluded_checks=excluded)

    try:
        ask()
    except Unsatisfiable:  # there is nothing to be got wrong
        return None
    except Exception as error:
        return error
    return None


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
