"""Exports over HTTP: what is fetched does what the composition says, and nothing half done is ever listed."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AceStepTransformer1DModel
from peft import PeftModel
from safetensors.torch import load, load_file

import api.export_jobs
from adapters.blending import concatenate
from adapters.card import AdapterCard, BaseCard
from adapters.exporting import Exported, ExportFormat, read_base
from adapters.importing import import_adapter
from adapters.store import AdapterStore
from adapters.weights import LowRank, describe_weights
from api.export_jobs import ExportJobs, ExportSettings
from api.export_records import ExportRequest
from api.exports import export_routes
from tests.adapters.exported import adapter, folded, same_change, song_model, transformer, velocity
from tests.api.small_app import Watching, problem, small_app

BLEND = {"lyrics": 0.6, "nolyrics": 0.4}
LORA = {"composition": BLEND, "format": "peft"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return song_model(tmp_path_factory.mktemp("secret-model"))


@pytest.fixture(scope="module")
def shipped(model: Path) -> Path:
    base, name = read_base(model)
    store = AdapterStore(model / "adapters")
    for adapter_name, weights in planted().items():
        card = AdapterCard(
            name=adapter_name,
            created=datetime(2026, 1, 1, tzinfo=UTC),
            base=BaseCard(name=name, fingerprint=base.fingerprint),
            **describe_weights(weights),
        )
        store.add(adapter_name, weights, card, base=base)
    return store.folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secret-outputs" / "exports"


@pytest.fixture
def start(shipped: Path, model: Path, folder: Path) -> Iterator[Callable[..., ExportJobs]]:
    """Makes the exports of a server that starts."""
    made: list[ExportJobs] = []

    def begin(**settings: Any) -> ExportJobs:
        made.append(ExportJobs(folder, AdapterStore(shipped), model, ExportSettings(**settings)))
        return made[-1]

    yield begin
    for jobs in made:
        jobs.close()
    assert not list(folder.glob(".*"))


@pytest.fixture
def serve(shipped: Path, model: Path, folder: Path) -> Callable[[ExportJobs], Watching]:
    return lambda jobs: Watching(small_app(export_routes(jobs)), folder, shipped, model, folder.parent.parent)


@pytest.fixture
def client(start: Callable[..., ExportJobs], serve: Callable[[ExportJobs], Watching]) -> Iterator[Watching]:
    with serve(start()) as client:
        yield client


def planted() -> dict[str, dict[str, LowRank]]:
    return {
        name: adapter(transformer(), ("to_q", "to_v"), rank=r, scale=s, seed=r)
        for name, r, s in zip(BLEND, (2, 3), (2.0, 0.5), strict=True)
    }


def blend() -> Any:
    return concatenate([(weight, planted()[name]) for name, weight in BLEND.items()])


def until(look: Callable[[], Any]) -> Any:
    ends = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < ends
        time.sleep(0.01)
    return found


def ended(client: Watching, export_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/v1/exports/{export_id}").json()
        return found if found["state"] in ("done", "failed") else None

    return dict(until(look))


def ask(client: Watching, **fields: Any) -> str:
    answer = client.post("/v1/exports", json={**LORA, **fields})
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] in ("queued", "running")
    assert answer.headers["location"] == f"/v1/exports/{answer.json()['id']}"
    return str(answer.json()["id"])


def make(client: Watching, **fields: Any) -> dict[str, Any]:
    found = ended(client, ask(client, **fields))
    assert found["state"] == "done", found
    assert found["progress"] == 1 and found["error"] is None
    return found


def fetch(client: Watching, shown: dict[str, Any], into: Path) -> Path:
    """The file, unpacked where it is a ZIP: the folder or file that a person would then load."""
    answer = client.get(f"/v1/exports/{shown['id']}/file")
    assert answer.status_code == 200 and len(answer.content) == shown["file"]["size"]
    assert answer.headers["content-disposition"] == f'attachment; filename="{shown["file"]["name"]}"'
    if not shown["file"]["name"].endswith(".zip"):
        assert answer.headers["content-type"] == "application/octet-stream"
        path = into / str(shown["file"]["name"])
        path.write_bytes(answer.content)
        return path
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        archive.extractall(into)
    return into / str(shown["file"]["name"]).removesuffix(".zip")


# --- what is fetched


def test_a_peft_export_loads_in_peft_and_has_the_effect(client: Watching, tmp_path: Path) -> None:
    shown = make(client)
    assert shown["file"]["name"] == "lyrics-0.6-nolyrics-0.4-peft.zip" and shown["request"]["composition"] == BLEND
    unpacked = fetch(client, shown, tmp_path)
    names = {"adapter_model.safetensors", "adapter_config.json", "composition.json"}
    assert {path.name for path in unpacked.iterdir()} == names
    loaded = PeftModel.from_pretrained(transformer(), str(unpacked))
    wanted = velocity(folded(transformer(), blend()))
    assert (wanted - velocity(transformer())).abs().max() > 1e-2
    torch.testing.assert_close(velocity(loaded.base_model.model), wanted, atol=1e-5, rtol=1e-4)


def test_a_diffusers_export_loads_in_diffusers_and_has_the_effect(client: Watching, tmp_path: Path) -> None:
    path = fetch(client, make(client, format="diffusers"), tmp_path)
    assert path.name == "lyrics-0.6-nolyrics-0.4-diffusers.safetensors"
    loaded = transformer()
    loaded.load_lora_adapter(load_file(path))
    torch.testing.assert_close(velocity(loaded), velocity(folded(transformer(), blend())), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("form", ["peft", "diffusers", "comfyui", "original"])
def test_every_lora_comes_back_as_the_blend(form: ExportFormat, client: Watching, model: Path, tmp_path: Path) -> None:
    path = fetch(client, make(client, format=form), tmp_path)
    base, name = read_base(model)
    same_change(import_adapter(path, "back", base, name).weights, blend())


def test_a_whole_model_comes_in_shards_and_has_the_effect(client: Watching, tmp_path: Path) -> None:
    shown = make(client, format="full-diffusers", shard_size="100KB")
    unpacked = fetch(client, shown, tmp_path)
    assert len(list(unpacked.glob("*.safetensors"))) > 2 and (unpacked / "config.json").is_file()
    loaded: Any = AceStepTransformer1DModel.from_pretrained(unpacked)
    torch.testing.assert_close(velocity(loaded), velocity(folded(transformer(), blend())), atol=1e-5, rtol=1e-4)


def test_the_base_model_itself_in_the_original_layout_tells_its_notes(client: Watching, tmp_path: Path) -> None:
    shown = make(client, composition="base", format="full-original", dtype="bf16")
    assert shown["file"]["name"] == "base-full-original.zip" and any("config.json" in note for note in shown["notes"])
    assert (fetch(client, shown, tmp_path) / "model.safetensors").is_file()


def test_compression_says_what_it_lost(client: Watching) -> None:
    loss = make(client, composition="lyrics=0.6, nolyrics=0.4", rank=2)["loss"]
    assert loss["rank"] == 2 and 0 < loss["overall"] < loss["worst"] < 1 and loss["worst_layer"].startswith("layers.")
    assert make(client)["loss"] is None


def test_options_reach_the_export(client: Watching, tmp_path: Path) -> None:
    fields = {"merge": "dare-ties", "density": 0.5, "dtype": "fp16", "format": "comfyui"}
    one, other = (load(fetch(client, make(client, seed=seed, **fields), tmp_path).read_bytes()) for seed in (1, 2))
    assert all(tensor.dtype == torch.float16 for key, tensor in one.items() if not key.endswith("alpha"))
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_a_part_of_the_file_is_fetched_where_asked_for(client: Watching) -> None:
    shown = make(client)
    path, size = f"/v1/exports/{shown['id']}/file", shown["file"]["size"]
    whole = client.get(path).content
    part = client.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{size}"
    assert client.get(path, headers={"Range": "bytes=-5"}).content == whole[-5:]
    head = client.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    beyond = client.get(path, headers={"Range": f"bytes={size}-"})
    assert f"which has {size} bytes" in problem(beyond, 416) and beyond.headers["content-range"] == f"bytes */{size}"
    assert "like bytes=0-1023" in problem(client.get(path, headers={"Range": "pages=1"}), 400)


# --- what is refused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"composition": {}}, "of which there is no LoRA"),
        ({"composition": "base"}, "of which there is no LoRA"),
        ({"composition": {"lyrics": 9}}, "has weight 9: give a number from -4 to 4"),
        ({"composition": {"lyrics": 1e400}}, "composition"),
        ({"composition": {"lyrics": "1"}}, "composition: lyrics must be a number, not the text 1"),
        ({"composition": {"Lyrics": 1}}, "'Lyrics' is no adapter name"),
        ({"composition": {"../x": 1}}, "is no adapter name"),
        ({"composition": {"base": 1}}, "leave it out"),
        ({"composition": "lyrics=x"}, "is no weighted adapter"),
        ({"composition": "lyrics,lyrics"}, "stands twice"),
        ({"composition": "x" * 5000}, "5,000 characters"),
        ({"composition": {f"a{i}": 1 for i in range(17)}}, "at most 16"),
        ({"composition": [1]}, "composition"),
        ({"composition": None}, "composition"),
        ({"format": "onnx"}, "format"),
        ({"merge": "average"}, "merge"),
        ({"rank": 0}, "rank"),
        ({"rank": 2.5}, "rank"),
        ({"rank": "2"}, "rank"),
        ({"rank": True}, "rank"),
        ({"rank": 10**30}, "rank"),
        ({"density": 0}, "density"),
        ({"density": 1.01}, "density"),
        ({"density": "0.5"}, "density"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"dtype": "int8"}, "dtype"),
        ({"shard_size": "0GB"}, "shard_size"),
        ({"shard_size": 5}, "shard_size"),
        ({"shard_size": "5 parsecs"}, "shard_size"),
        ({"out": "/etc"}, "out is not a field of an export: leave it out"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], said: str, client: Watching, folder: Path) -> None:
    body = json.dumps({**LORA, **fields})
    answer = client.post("/v1/exports", content=body, headers={"content-type": "application/json"})
    assert said in problem(answer, 422)
    assert client.get("/v1/exports").json() == {"exports": []} and not folder.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 9_000, 400),
        (b"[" * 100_000, 413),
        (b"\xff", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"lyrics"', 422),
        (b"{}", 422),
        (b'{"composition": {"lyrics": NaN}, "format": "peft"}', 422),
        (b'{"composition": {"lyrics": 1}, "format": "peft", "density": Infinity}', 422),
        (b'{"composition": "\\ud800", "format": "peft"}', 400),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, status: int, client: Watching) -> None:
    problem(client.post("/v1/exports", content=body, headers={"content-type": "application/json"}), status)


def test_a_body_of_another_type_is_refused(client: Watching) -> None:
    assert "application/json" in problem(client.post("/v1/exports", data={"format": "peft"}), 415)


def test_an_unknown_adapter_is_named(client: Watching) -> None:
    answer = client.post("/v1/exports", json={**LORA, "composition": {"lyrics": 1, "folk": 0.5}})
    assert problem(answer, 404) == "there is no adapter folk: choose from lyrics, nolyrics"
    assert answer.json()["adapter"] == "folk"


@pytest.mark.parametrize("export_id", ["0" * 16, "..%2f..%2fetc", "%2e%2e", "x", "0" * 500, "exports%00", ".hidden"])
def test_there_is_nothing_under_another_id(export_id: str, client: Watching) -> None:
    make(client)
    for path in (f"/v1/exports/{export_id}", f"/v1/exports/{export_id}/file"):
        assert client.get(path).status_code == 404
    assert client.delete(f"/v1/exports/{export_id}").status_code == 404


# --- while it runs


class Slow:
    """Stands in the place of the export and goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.steps = threading.Event(), threading.Semaphore(0)
        monkeypatch.setattr(api.export_jobs, "export_composition", self)

    def __call__(self, _: Any, out: Path, *__: Any, start: Callable[[int], Callable[[int], None]], **___: Any) -> Any:
        advance = start(100)
        self.begun.set()
        out.mkdir(exist_ok=True)
        for part in ("one", "two", "three", "four"):
            assert self.steps.acquire(timeout=30)
            (out / part).write_bytes(bytes(25))
            advance(25)
        return Exported([])


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    slow = Slow(monkeypatch)
    yield slow
    slow.steps.release(1000)


def state(client: Watching, export_id: str) -> tuple[str, float]:
    found = client.get(f"/v1/exports/{export_id}").json()
    return found["state"], found["progress"]


def test_progress_follows_the_bytes_and_the_file_comes_at_the_end(client: Watching, slow: Slow, folder: Path) -> None:
    one, two = ask(client), ask(client)
    assert slow.begun.wait(10) and state(client, one) == ("running", 0) and state(client, two) == ("queued", 0)
    slow.steps.release(2)
    until(lambda: state(client, one) == ("running", 0.25))
    assert "is running and has no file: ask again" in problem(client.get(f"/v1/exports/{one}/file"), 409)
    assert not [path for path in folder.iterdir() if not path.name.startswith(".")]
    slow.steps.release(2)
    assert ended(client, one)["progress"] == 1
    assert [shown["id"] for shown in client.get("/v1/exports").json()["exports"]] == [two, one]


def test_one_that_waits_and_one_that_runs_can_be_cancelled(client: Watching, slow: Slow, folder: Path) -> None:
    running, waiting, last = ask(client), ask(client), ask(client)
    assert slow.begun.wait(10)
    for export_id in (waiting, running):
        assert client.delete(f"/v1/exports/{export_id}").json() == {"id": export_id, "state": "cancelled"}
        assert client.get(f"/v1/exports/{export_id}").status_code == 404
    slow.steps.release(1 + 4)
    assert ended(client, last)["state"] == "done"
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == [last]
    assert client.delete(f"/v1/exports/{last}").json() == {"id": last, "state": "removed"}
    assert client.get(f"/v1/exports/{last}/file").status_code == 404
    assert not [path for path in folder.iterdir() if not path.name.startswith(".")]


def test_more_than_may_wait_are_refused_with_a_time(
    start: Callable[..., ExportJobs], serve: Callable[[ExportJobs], Watching], slow: Slow
) -> None:
    client = serve(start(waiting=2))
    ask(client)
    assert slow.begun.wait(10)
    ask(client), ask(client)
    answer = client.post("/v1/exports", json=LORA)
    assert "2 exports are waiting, which is the limit" in problem(answer, 429)
    assert int(answer.headers["retry-after"]) > 0
    assert len(client.get("/v1/exports").json()["exports"]) == 3


def test_a_hundred_at_once_are_queued_or_refused(client: Watching, slow: Slow) -> None:
    with ThreadPoolExecutor(100) as pool:
        codes = list(pool.map(lambda _: client.post("/v1/exports", json=LORA).status_code, range(100)))
    assert set(codes) == {202, 429} and codes.count(202) in (16, 17)


def test_closing_stops_the_export_that_runs(
    start: Callable[..., ExportJobs], serve: Callable[[ExportJobs], Watching], slow: Slow, folder: Path
) -> None:
    jobs = start()
    client = serve(jobs)
    ask(client), ask(client)
    assert slow.begun.wait(10)
    slow.steps.release(1)
    jobs.close()
    assert not [path for path in folder.iterdir()]
    assert "shutting down" in problem(client.post("/v1/exports", json=LORA), 503)


def test_no_more_are_taken_once_the_server_ends_and_those_accepted_are_made(
    start: Callable[..., ExportJobs], serve: Callable[[ExportJobs], Watching], slow: Slow
) -> None:
    jobs = start()
    client = serve(jobs)
    running, waiting = ask(client), ask(client)
    assert slow.begun.wait(10)
    jobs.refuse()
    refused = client.post("/v1/exports", json=LORA)
    assert "takes no more exports" in problem(refused, 503) and int(refused.headers["retry-after"]) > 0
    assert jobs.drain(0.05) is False and state(client, running)[0] == "running"
    slow.steps.release(8)
    assert jobs.drain(60) is True
    assert [state(client, export_id)[0] for export_id in (running, waiting)] == ["done", "done"]


def test_waiting_for_exports_ends_when_they_are_stopped(start: Callable[..., ExportJobs], slow: Slow) -> None:
    jobs = start()
    jobs.submit(ExportRequest(composition=BLEND, format="peft"))
    assert slow.begun.wait(10)
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.append(jobs.drain(600)))
    thread.start()
    jobs.stop()
    thread.join(60)
    assert outcome == [False]
    slow.steps.release(1)


def test_nobody_waits_while_files_are_deleted(client: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, other = make(client), make(client)
    deleting, go, rmtree = threading.Event(), threading.Event(), shutil.rmtree

    def slowly(*args: Any, **options: Any) -> None:
        deleting.set()
        assert go.wait(60)
        rmtree(*args, **options)

    monkeypatch.setattr("api.export_files.shutil.rmtree", slowly)
    with ThreadPoolExecutor(1) as pool:
        removed = pool.submit(client.delete, f"/v1/exports/{shown['id']}")
        assert deleting.wait(60)
        assert [found["id"] for found in client.get("/v1/exports").json()["exports"]] == [other["id"]]
        assert not removed.done()
        go.set()
        assert removed.result().json()["state"] == "removed"


def test_an_export_that_cannot_be_removed_is_there_as_before(client: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = make(client)

    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("api.export_files.os.rename", denied)
        problem(client.delete(f"/v1/exports/{shown['id']}"), 500)
    assert client.get(f"/v1/exports/{shown['id']}/file").status_code == 200


# --- what goes wrong


def failed(client: Watching, **fields: Any) -> str:
    found = ended(client, ask(client, **fields))
    assert found["state"] == "failed" and found["file"] is None
    assert found["error"] in problem(client.get(f"/v1/exports/{found['id']}/file"), 409)
    assert client.delete(f"/v1/exports/{found['id']}").json()["state"] == "removed"
    return str(found["error"])


@pytest.mark.parametrize(
    "place", ["adapters.lora_export.write_file", "api.export_files.os.fsync", "api.export_files.write_text_atomically"]
)
def test_a_full_disk_is_told_and_leaves_nothing(
    place: str, client: Watching, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        assert "disk is full: delete songs, exports or adapters" in failed(client)
    assert not [path for path in folder.iterdir() if not path.name.startswith(".")]
    make(client)


def test_a_whole_model_without_room_says_how_much_it_needs(client: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.full_export.shutil.disk_usage", lambda _: type("", (), {"free": 10})())
    said = failed(client, format="full-diffusers")
    assert "GB are free: free some space" in said and "--" not in said


def test_a_value_that_does_not_fit_names_the_dtype_as_it_is_called_here(
    client: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = {name: LowRank(layer.down * 1e5, layer.up, layer.scale) for name, layer in planted()["lyrics"].items()}
    monkeypatch.setattr("api.export_progress.AdapterStore.load", lambda *_: big)
    assert "ask for the dtype bf16 or fp32" in failed(client, composition="lyrics", dtype="fp16")


@pytest.mark.parametrize("error", [ValueError("/secret/place"), MemoryError(), KeyError("x")])
def test_an_error_of_ours_is_told_without_its_inside(
    error: Exception, client: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(api.export_jobs, "export_composition", fail)
    said = failed(client)
    assert "secret" not in said and ("memory" in said) == isinstance(error, MemoryError)


def test_an_export_that_takes_too_long_fails(
    start: Callable[..., ExportJobs], serve: Callable[[ExportJobs], Watching]
) -> None:
    assert "took longer than it may" in failed(serve(start(seconds=0.0)))


def test_an_adapter_that_goes_while_its_export_waits_is_named(
    client: Watching, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AdapterStore, "check_there", lambda *_: None)
    assert failed(client, composition="gone") == (
        "there is no adapter gone in the shelf: choose one of lyrics, nolyrics"
    )


def test_a_model_by_hub_id_is_looked_for_on_this_machine_alone(
    folder: Path, shipped: Path, model: Path, serve: Callable[[ExportJobs], Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def snapshot(repo: str, *, local_files_only: bool) -> str:
        asked.append((repo, local_files_only))
        return str(model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    jobs = ExportJobs(folder, AdapterStore(shipped), "someone/a-model")
    make(serve(jobs), format="full-diffusers")
    assert asked == [("someone/a-model", True)]
    monkeypatch.undo()
    assert "song model a-model are not on this machine" in failed(serve(jobs))
    jobs.close()


# --- what stays


def test_finished_exports_are_there_after_a_restart_and_others_are_not(
    start: Callable[..., ExportJobs], serve: Callable[[ExportJobs], Watching], folder: Path
) -> None:
    client = serve(start())
    first, second, third = (make(client, rank=rank) for rank in (1, 2, 3))
    (folder / second["id"] / second["file"]["name"]).write_bytes(b"cut short")
    (folder / third["id"] / "export.json").write_text("{")
    (folder / ("a" * 16)).symlink_to(folder / first["id"])
    (folder / "notes").mkdir()
    again = serve(start())
    assert again.get("/v1/exports").json() == {"exports": [first]}
    assert again.get(f"/v1/exports/{first['id']}/file").status_code == 200


def test_the_newest_are_kept(
    start: Callable[..., ExportJobs], serve: Callable[[ExportJobs], Watching], folder: Path
) -> None:
    client = serve(start(kept=2))
    made = [make(client, rank=rank)["id"] for rank in (1, 2, 3)]
    until(lambda: [shown["id"] for shown in client.get("/v1/exports").json()["exports"]] == [made[2], made[1]])
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == set(made[1:])
    small = serve(start(kept_bytes=1))
    last = make(small)["id"]
    until(lambda: [shown["id"] for shown in small.get("/v1/exports").json()["exports"]] == [last])


def test_a_file_that_somebody_deleted_is_missed_politely(client: Watching, folder: Path) -> None:
    shown = make(client)
    (folder / shown["id"] / shown["file"]["name"]).unlink()
    assert "was removed from the disk" in problem(client.get(f"/v1/exports/{shown['id']}/file"), 404)
    assert client.delete(f"/v1/exports/{shown['id']}").json()["state"] == "removed"


KILLED = """
import sys, time
from pathlib import Path
import api.export_files
from adapters.store import AdapterStore
from api.export_jobs import ExportJobs
from api.export_records import ExportRequest

folder, shelf, model, stage = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
jobs = ExportJobs(folder, AdapterStore(shelf), model)

def stop(*_, **__):
    print("now", flush=True)
    time.sleep(60)

def submit(**fields):
    shown = jobs.submit(ExportRequest(composition={"lyrics": 1.0}, **fields))
    while stage == "after" and jobs.shown(shown.id).state != "done":
        time.sleep(0.01)

if stage == "writing":
    import adapters.shards
    adapters.shards.torch.isfinite = stop
elif stage == "packing":
    api.export_files.zipfile.ZipFile = stop
elif stage == "settling":
    api.export_files.os.rename = stop
submit(format="full-diffusers")
if stage == "after":
    stop()
time.sleep(60)
"""


@pytest.mark.parametrize("stage", ["writing", "packing", "settling", "after"])
def test_a_kill_at_any_stage_leaves_no_half_export(
    stage: str, folder: Path, shipped: Path, model: Path, start: Callable[..., ExportJobs]
) -> None:
    command = [sys.executable, "-c", KILLED, str(folder), str(shipped), str(model), stage]
    root = Path(api.export_jobs.__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env=os.environ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"now\n"
        junk = [path for path in folder.glob(".export-*/*")]
        process.send_signal(signal.SIGKILL)
    assert junk or stage == "after"
    listed = start().listed()
    assert [shown.state for shown in listed] == (["done"] if stage == "after" else [])
    assert not list(folder.glob(".*"))
    assert {path.name for path in folder.iterdir()} == {shown.id for shown in listed}


def test_what_a_living_process_writes_is_left_alone(folder: Path, start: Callable[..., ExportJobs], slow: Slow) -> None:
    living = start()
    shown = living.submit(ExportRequest(composition=BLEND, format="peft"))
    assert slow.begun.wait(10)
    start()
    slow.steps.release(4)
    until(lambda: (found := living.shown(shown.id)) is not None and found.state == "done")
    living.close()


def test_a_file_is_called_after_its_composition_and_never_too_long() -> None:
    long = ExportRequest(composition={f"{'x' * 60}{i:02}": 0.1 for i in range(9)}, format="comfyui")
    assert len(long.stem) <= 90 and "/" not in long.stem and not long.stem.startswith(".")
    negative = ExportRequest(composition={"a": -0.5}, format="peft")
    assert negative.stem == "a--0.5-peft"


# --- how large it will be


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"composition": {"lyrics": 1}},
        {"composition": {"lyrics": 1}, "dtype": "bf16"},
        {"format": "diffusers"},
        {"format": "comfyui", "dtype": "fp16"},
        {"format": "original", "rank": 2},
        {"merge": "knots"},
        {"merge": "ties", "format": "comfyui"},
        {"merge": "dare-ties", "rank": 3},
        {"format": "full-diffusers"},
        {"format": "full-diffusers", "shard_size": "100KB", "dtype": "bf16"},
        {"composition": "base", "format": "full-original"},
        {"format": "full-original", "dtype": "fp16", "shard_size": "200KB"},
    ],
)
def test_the_size_is_known_before_it_is_made(fields: dict[str, Any], client: Watching, folder: Path) -> None:
    answer = client.post("/v1/exports/estimate", json={**LORA, **fields})
    assert answer.status_code == 200, answer.text
    assert client.get("/v1/exports").json() == {"exports": []}
    shown = make(client, **fields)
    size, real = answer.json()["size"], shown["file"]["size"]
    assert abs(size - real) <= 0.03 * real, (size, real)
    path = folder / shown["id"] / shown["file"]["name"]
    if path.suffix == ".zip":
        names = [Path(name).name for name in zipfile.ZipFile(path).namelist()]
        files = [name for name in names if name.endswith(".safetensors")]
        assert answer.json()["files"] == len(files)
    else:
        tensors = load_file(path)
        ranks = [t.shape[0] for key, t in tensors.items() if key.endswith(("lora_A.weight", "lora_down.weight"))]
        assert (answer.json()["files"], answer.json()["rank"]) == (1, max(ranks))


def test_the_rank_follows_from_the_adapters_and_the_merge(client: Watching) -> None:
    def rank(**fields: Any) -> int | None:
        answer = client.post("/v1/exports/estimate", json={**LORA, **fields})
        found: int | None = answer.json()["rank"]
        return found

    # planted ranks are 2 and 3, one more in every second layer
    assert rank(composition="lyrics") == 3 and rank(composition="lyrics=0.5,nolyrics=-1") == 7
    assert rank(rank=5) == 5 and rank(rank=64) == 7 and rank(merge="ties") == 48 and rank(merge="knots") == 7
    assert rank(format="full-diffusers") is None


def test_what_cannot_be_exported_has_no_size_and_the_field_is_named(client: Watching, shipped: Path) -> None:
    for path in ("/v1/exports/estimate", "/v1/exports"):
        answer = client.post(path, json={**LORA, "composition": {"lyrics": 1, "folk": 0.5}})
        assert problem(answer, 404) == "there is no adapter folk: choose from lyrics, nolyrics"
        assert answer.json()["errors"] == [{"field": "composition", "detail": answer.json()["detail"]}]
        answer = client.post(path, json={**LORA, "rank": 0, "shard_size": "x", "composition": {"lyrics": 9}})
        assert [fault["field"] for fault in answer.json()["errors"]] == ["composition", "rank", "shard_size"]
        assert problem(answer, 422) == "; ".join(f"{f['field']}: {f['detail']}" for f in answer.json()["errors"])
        assert (
            "of which there is no LoRA"
            in client.post(path, json={**LORA, "composition": ""}).json()["errors"][0]["detail"]
        )
    weights = shipped / "lyrics" / "adapter_model.safetensors"
    kept = weights.read_bytes()
    try:
        weights.write_bytes(kept[:100])
        assert "lyrics is damaged" in problem(client.post("/v1/exports/estimate", json=LORA), 422)
    finally:
        weights.write_bytes(kept)


def test_the_size_of_a_whole_model_needs_the_model(shipped: Path, folder: Path, serve: Any) -> None:
    jobs = ExportJobs(folder, AdapterStore(shipped), folder / "none")
    client = serve(jobs)
    assert client.post("/v1/exports/estimate", json=LORA).status_code == 200
    said = problem(client.post("/v1/exports/estimate", json={**LORA, "format": "full-diffusers"}), 422)
    assert "not on this machine" in said
    jobs.close()
