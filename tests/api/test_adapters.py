"""The shelf over HTTP: every kind of file goes in and changes what it should, and nothing wrong or foreign gets by."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import pickle
import socket
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
import uvicorn
from safetensors.torch import save, save_file

import api.adapter_form
import api.adapters
from adapters.card import AdapterCard, BaseCard
from adapters.errors import AdapterError
from adapters.lora_export import LORA_FORMATS, LoraFormat, write_lora
from adapters.naming import diffusers_name, original_name
from adapters.store import AdapterStore
from adapters.weights import AdapterWeights, LowRank, describe_weights
from api.adapters import adapter_routes
from tests.adapters.exported import same_change
from tests.adapters.foreign import ATTENTION, base_of, pairs, twins, write_peft
from tests.api.small_app import Watching, problem, small_app
from tests.waiting import until

BASE = base_of(twins()[1])
PLANTED = {diffusers_name(name): LowRank(layer.down, layer.up, 2.0) for name, layer in pairs(ATTENTION).items()}


@pytest.fixture
def shelf(tmp_path: Path) -> AdapterStore:
    return AdapterStore(tmp_path / "secret-shelf")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "secret-work"


@pytest.fixture
def client(shelf: AdapterStore, work: Path, tmp_path: Path) -> Iterator[Watching]:
    with Watching(small_app(adapter_routes(shelf, BASE, "stand-in", work)), shelf.folder, work, tmp_path) as client:
        yield client
    assert held(work) == []
    assert not list(shelf.folder.glob(".adapter-*"))


def held(work: Path) -> list[Path]:
    """What uploads have left, or have not yet taken away."""
    # Unlike a glob, it takes no offence at a folder that goes meanwhile.
    return [Path(folder, name) for folder, inner, files in os.walk(work) for name in (*inner, *files)]


def a_card(name: str = "theirs", fingerprint: str = BASE.fingerprint, **more: Any) -> dict[str, Any]:
    base = BaseCard(name="stand-in", fingerprint=fingerprint)
    card = AdapterCard(name=name, created="2026-01-02T00:00:00Z", base=base, **describe_weights(PLANTED))  # type: ignore[arg-type]
    return card.model_dump(mode="json") | more


def peft_files(weights: AdapterWeights = PLANTED) -> dict[str, Any]:
    """Weights and config of an adapter in PEFT's format."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_lora(weights, Path(folder), "peft")
        return {"weights": path.read_bytes(), "config": (path.parent / "adapter_config.json").read_bytes()}


def upload(client: Any, name: str | None = "mine", client_name: str = "x.safetensors", **parts: bytes | str) -> Any:
    texts = ({} if name is None else {"name": name}) | {k: part for k, part in parts.items() if isinstance(part, str)}
    files = {key: (client_name, part) for key, part in parts.items() if isinstance(part, bytes)}
    return client.post("/v1/adapters", files=[*((key, (None, text)) for key, text in texts.items()), *files.items()])


# --- what goes in


@pytest.mark.parametrize("form", LORA_FORMATS)
def test_every_format_of_ours_comes_back_with_the_same_effect(
    form: LoraFormat, client: Watching, shelf: AdapterStore, tmp_path: Path
) -> None:
    path = write_lora(PLANTED, tmp_path, form)
    config = path.with_name("adapter_config.json")
    answer = upload(client, weights=path.read_bytes(), config=config.read_bytes() if config.exists() else b"")
    assert answer.status_code == 201 and answer.headers["location"] == "/v1/adapters/mine"
    found = answer.json()
    kind = {"original": "peft"}.get(form, form)
    assert (found["adapter"]["name"], found["adapter"]["fits"]) == ("mine", True)
    assert found["adapter"]["source"] == f"{kind}: uploaded"
    assert found["notes"] == ["no card says for which song model it was made: it fits the layers of stand-in"]
    same_change(shelf.load("mine", BASE), PLANTED)


def test_the_trainers_own_files_go_in(client: Watching, shelf: AdapterStore, tmp_path: Path) -> None:
    write_peft(tmp_path, pairs(ATTENTION))
    weights, config = tmp_path / "adapter_model.safetensors", tmp_path / "adapter_config.json"
    answer = upload(client, weights=weights.read_bytes(), config=config.read_bytes())
    assert answer.status_code == 201, answer.text
    same_change(shelf.load("mine", BASE), PLANTED)


def test_lokr_goes_in_as_its_product(client: Watching, shelf: AdapterStore) -> None:
    one, other = torch.randn(3, 2), torch.randn(4, 6)
    key = "lycoris_layers_0_self_attn_q_proj"
    weights = save({f"{key}.lokr_w1": one, f"{key}.lokr_w2": other, f"{key}.alpha": torch.tensor(1.0)})
    answer = upload(client, weights=weights)
    assert answer.status_code == 201 and answer.json()["adapter"]["source"] == "lokr: uploaded"
    change = shelf.load("mine", BASE)["layers.0.self_attn.to_q"].delta()
    torch.testing.assert_close(change, torch.kron(one, other))


def test_a_comfyui_file_without_alpha_says_at_which_scale_it_was_taken(client: Watching) -> None:
    tensors = {
        f"diffusion_model.decoder.{original_name(name)}.lora_{side}.weight": tensor
        for name, layer in PLANTED.items()
        for side, tensor in (("down", layer.down), ("up", layer.up))
    }
    notes = upload(client, weights=save(tensors)).json()["notes"]
    assert any("16 of 16 layers come without alpha" in note for note in notes)


def test_a_card_is_kept_and_a_description_replaces_its_own(client: Watching, shelf: AdapterStore) -> None:
    card = a_card(variant="lyrics", description="old", licence="CC0", source="my trainer", recipe={"steps": 3})
    answer = upload(client, card=json.dumps(card).encode(), description="Ein neuer Satz: übermütig", **peft_files())
    found = answer.json()["adapter"]
    assert answer.status_code == 201 and answer.json()["notes"] == []
    assert (found["name"], found["variant"], found["licence"]) == ("mine", "lyrics", "CC0")
    assert (found["description"], found["source"]) == ("Ein neuer Satz: übermütig", "my trainer")
    assert found["recipe"] == {"steps": 3} and shelf.card("mine").rank == 4


def test_files_that_a_page_left_empty_count_as_not_sent(client: Watching) -> None:
    assert upload(client, card=b"", **peft_files()).status_code == 201
    assert "weights is missing" in problem(upload(client, name="other", weights=b""), 422)


def test_a_shelf_is_listed_shown_and_cleared(client: Watching, shelf: AdapterStore, tmp_path: Path) -> None:
    assert client.get("/v1/adapters").json() == {"adapters": [], "damaged": []}
    for name in ("one", "two", "three"):
        assert upload(client, name, **peft_files()).status_code == 201
    (shelf.folder / "three" / "card.json").write_text("{")
    (shelf.folder / "linked").symlink_to(shelf.folder / "one")
    listed = client.get("/v1/adapters").json()
    assert [card["name"] for card in listed["adapters"]] == ["one", "two"]
    assert [one["name"] for one in listed["damaged"]] == ["three"] and "not JSON" in listed["damaged"][0]["fault"]
    assert client.get("/v1/adapters/one").json() == listed["adapters"][0]
    assert "damaged" in problem(client.get("/v1/adapters/three"), 409)
    for name in ("one", "two", "three"):
        assert client.delete(f"/v1/adapters/{name}").json() == {"name": name, "state": "removed"}
        assert f"there is no adapter {name}" in problem(client.get(f"/v1/adapters/{name}"), 404)
    assert [entry.name for entry in shelf.folder.iterdir()] == ["linked"]


def test_an_adapter_of_another_model_is_shown_as_one_that_does_not_fit(client: Watching, shelf: AdapterStore) -> None:
    card = AdapterCard.model_validate(a_card(fingerprint="0" * 16))
    shelf.add("foreign", PLANTED, card)
    assert client.get("/v1/adapters/foreign").json()["fits"] is False


def test_a_removed_adapter_can_be_sent_anew_under_its_name(client: Watching, shelf: AdapterStore) -> None:
    upload(client, **peft_files())
    before = shelf.revision("mine")
    client.delete("/v1/adapters/mine")
    assert upload(client, **peft_files()).status_code == 201
    assert shelf.revision("mine") != before


# --- names


@pytest.mark.parametrize(
    "name", ["", "Lyrics", "base", "../up", "a/b", "a.b", "a\0b", "ü", "x" * 65, "..", "con ", "-\n"]
)
def test_a_name_that_could_be_a_path_or_a_twin_is_refused(name: str, client: Watching, shelf: AdapterStore) -> None:
    assert (
        "choose another name" in (said := problem(upload(client, name, **peft_files()), 422)) or "use 1 to 64" in said
    )
    assert not shelf.folder.exists()


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..%5c..%5cx",
        "%252e%252e%252f",
        "Mine",
        "MINE",
        "base",
        "mine%00",
        "mine%20",
        "linked",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_name_in_an_address_leaves_the_shelf(
    path: str, method: str, client: Watching, shelf: AdapterStore, tmp_path: Path
) -> None:
    upload(client, **peft_files())
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "card.json").write_text(json.dumps(a_card()))
    (shelf.folder / "linked").symlink_to(outside)
    assert client.request(method, f"/v1/adapters/{path}").status_code == 404
    assert (outside / "card.json").exists() and shelf.names() == ["mine"]


def test_a_linked_name_is_taken_and_never_written_through(
    client: Watching, shelf: AdapterStore, tmp_path: Path
) -> None:
    shelf.folder.mkdir()
    (shelf.folder / "mine").symlink_to(tmp_path / "elsewhere")
    assert "taken" in problem(upload(client, **peft_files()), 409)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("client_name", ["../../evil.safetensors", "/etc/passwd", "a\\..\\b", "", "…", "x" * 5000])
def test_what_a_client_calls_its_file_is_no_path(client_name: str, client: Watching, work: Path) -> None:
    assert upload(client, client_name=client_name, **peft_files()).status_code in (201, 400)
    assert not (work.parent.parent / "evil.safetensors").exists()


# --- what does not go in


@pytest.mark.parametrize("ending", [".bin", ".pt", ".ckpt", ".PTH", ".pkl"])
def test_a_pickle_is_refused_by_its_name(ending: str, client: Watching) -> None:
    said = problem(upload(client, client_name=f"adapter{ending}", **peft_files()), 415)
    assert "pickle" in said and "convert" in said


def test_a_pickle_is_refused_by_its_first_bytes(client: Watching) -> None:
    zipped = io.BytesIO()
    torch.save({"x": torch.ones(3)}, zipped)
    for data in (zipped.getvalue(), pickle.dumps({"x": 1}), pickle.dumps({"x": 1}, protocol=2) + bytes(99)):
        said = problem(upload(client, weights=data), 415)
        assert said.startswith("weights is a pickle renamed to .safetensors")


def _without(end: int) -> bytes:
    return bytes(peft_files()["weights"][:end])


def _with(name: str, tensor: torch.Tensor) -> dict[str, Any]:
    """PEFT's files, one matrix replaced."""
    tensors = {}
    for key, layer in PLANTED.items():
        tensors[f"base_model.model.{key}.lora_A.weight"] = layer.down
        tensors[f"base_model.model.{key}.lora_B.weight"] = layer.up
    assert name in tensors
    return {**peft_files(), "weights": save(tensors | {name: tensor})}


Q = "base_model.model.layers.0.self_attn.to_q"


@pytest.mark.parametrize(
    ("parts", "status", "said"),
    [
        (lambda: {"weights": b"garbage" * 100}, 422, "weights is no safetensors file or is cut short"),
        (lambda: {"weights": b"x"}, 422, "no safetensors file"),
        (lambda: {"weights": _without(4000)}, 422, "cut short"),
        (lambda: {"weights": _without(-1)}, 422, "cut short"),
        (lambda: {"weights": (64).to_bytes(8, "little") + b"{" * 64}, 422, "is not JSON"),
        (lambda: {"weights": save({"x": torch.ones(2)})}, 422, "belong to no LoRA or LoKr adapter"),
        (lambda: {"weights": save({})}, 422, "changes no layer"),
        (lambda: _with(f"{Q}.lora_B.weight", torch.full((12, 4), torch.nan)), 422, "no numbers"),
        (lambda: _with(f"{Q}.lora_A.weight", torch.ones(4, 13)), 422, "is 12 x 13, the song model's 12 x 12"),
        (lambda: _with(f"{Q}.lora_A.weight", torch.ones(3, 12)), 422, "gives"),
        (lambda: _with(f"{Q}.lora_A.weight", torch.ones(4, 12, 1)), 422, "shape"),
        (lambda: {"weights": peft_files()["weights"]}, 422, "has no alpha"),
        (lambda: {**peft_files(), "config": b"[]"}, 422, "config holds a JSON list"),
        (lambda: {**peft_files(), "config": b"\xff\xfe\0"}, 422, "config cannot be read as text"),
        (lambda: {**peft_files(), "config": b"[" * 100_000}, 422, "config is not JSON"),
        (lambda: {**peft_files(), "config": b'{"r": 4, "lora_alpha": NaN}'}, 422, "lora_alpha"),
        (lambda: {**peft_files(), "config": b'{"r": 4, "lora_alpha": 8, "use_dora": true}'}, 422, "DoRA"),
        (lambda: {**peft_files(), "card": b"{}"}, 422, "card is no card of an adapter"),
        (lambda: {**peft_files(), "card": json.dumps(a_card(fingerprint="0" * 16)).encode()}, 422, "was made for"),
        (lambda: {**peft_files(), "description": "x" * 2001}, 422, "2001 characters"),
        (lambda: {}, 422, "weights is missing"),
        (lambda: {**peft_files(), "other": "1"}, 422, "'other' is no field of this form"),
    ],
)
def test_what_is_damaged_or_does_not_fit_is_named(
    parts: Callable[[], dict[str, Any]], status: int, said: str, client: Watching, shelf: AdapterStore
) -> None:
    assert said in problem(upload(client, **parts()), status)
    assert not shelf.folder.exists()


def test_a_field_is_given_once(client: Watching) -> None:
    twice = [("name", (None, "one")), ("name", (None, "two"))]
    assert "name is given twice" in problem(client.post("/v1/adapters", files=twice), 422)
    assert "name is missing" in problem(upload(client, None, **peft_files()), 422)


def test_names_of_another_model_fit_nothing(client: Watching) -> None:
    weights = {name.replace("layers", "blocks"): layer for name, layer in PLANTED.items()}
    assert "is no linear layer of this song model" in problem(upload(client, **peft_files(weights)), 422)


def test_small_factors_cannot_ask_for_much_memory(client: Watching) -> None:
    factor = torch.ones(300_000, 1)
    for module, said in (
        ("layers_0_self_attn_q_proj", "the song model's 12 x 12"),
        ("layers_9_x", "is no linear layer"),
    ):
        weights = save({f"lycoris_{module}.lokr_w1": factor, f"lycoris_{module}.lokr_w2": factor.clone()})
        assert said in problem(upload(client, weights=weights), 422)


@pytest.mark.parametrize("recipe", ['{"x": "\\ud800"}', '{"x": ' + "[" * 900 + "]" * 900 + "}"])
def test_a_card_that_cannot_be_written_is_refused(recipe: str, client: Watching, shelf: AdapterStore) -> None:
    card = json.dumps(a_card(recipe="RECIPE")).replace('"RECIPE"', recipe)
    said = problem(upload(client, card=card.encode(), **peft_files()), 422)
    assert "card" in said and shelf.names() == []


def test_a_recipe_may_hold_what_json_cannot_and_the_list_stays_json(client: Watching, shelf: AdapterStore) -> None:
    card = json.dumps(a_card(recipe={"lr": float("nan"), "most": float("inf")})).encode()
    assert upload(client, card=card, **peft_files()).status_code == 201
    strict = json.loads(client.get("/v1/adapters").text, parse_constant=lambda name: pytest.fail(name))
    assert strict["adapters"][0]["name"] == "mine" and shelf.card("mine").name == "mine"


def test_a_taken_name_is_a_conflict(client: Watching, shelf: AdapterStore) -> None:
    assert upload(client, **peft_files()).status_code == 201
    before = shelf.revision("mine")
    assert "the name mine is taken" in problem(upload(client, **peft_files()), 409)
    assert shelf.revision("mine") == before


@pytest.mark.parametrize(("part", "limit"), [("weights", "MAX_FILE"), ("config", "MAX_JSON"), ("card", "MAX_JSON")])
def test_a_file_beyond_its_limit_is_refused_while_it_arrives(
    part: str, limit: str, client: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.adapter_form, limit, 1000)
    large: dict[str, Any] = {part: bytes(1001)}
    assert f"{part} is larger than 1,000 bytes" in problem(upload(client, **large), 413)
    form = {"content-type": "multipart/form-data; boundary=b"}
    endless = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--b--\r\n' + bytes(1 << 24)
    if part == "weights":
        monkeypatch.setattr(api.adapter_form, "MAX_JSON", 1000)
        assert "the form is larger than" in problem(client.post("/v1/adapters", content=endless, headers=form), 413)


def test_a_body_that_is_no_form_is_refused(client: Watching) -> None:
    assert "send a form" in problem(client.post("/v1/adapters", json={"name": "mine"}), 415)
    assert "send a form" in problem(client.post("/v1/adapters"), 415)
    for kind, status in (("multipart/form-data", 400), ("multipart/form-data; boundary=" + "x" * 300, 400)):
        problem(client.post("/v1/adapters", content=b"x", headers={"content-type": kind}), status)
    form = {"content-type": "multipart/form-data; boundary=b"}
    for body, said in (
        (b"no boundary", "malformed"),
        (b"", "cut short"),
        (b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nmine', "cut short"),
        (b'--b\r\nContent-Disposition: form-data; name="weights"; filename="x"\r\n\r\n' + bytes(5000), "cut short"),
        (b"--b\r\n: x\r\n\r\n", "malformed"),
    ):
        assert said in problem(client.post("/v1/adapters", content=body, headers=form), 400)
    nameless = b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"
    assert "no field of this form" in problem(client.post("/v1/adapters", content=nameless, headers=form), 422)
    odd = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--b--\r\n'
    assert "no text in UTF-8" in problem(client.post("/v1/adapters", content=odd, headers=form), 422)


def test_a_full_disk_is_told_and_leaves_nothing(
    client: Watching, shelf: AdapterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("adapters.store.write_bytes_atomically", full)
        assert "disk is full" in problem(upload(client, **peft_files()), 507)
    with monkeypatch.context() as patch:
        patch.setattr("api.uploads._Reader.feed", full)
        assert "disk is full" in problem(upload(client, **peft_files()), 507)
    files = peft_files()
    with monkeypatch.context() as patch:
        patch.setattr("engine.hidden_folders.tempfile.mkdtemp", full)
        assert "disk is full" in problem(upload(client, **files), 507)
    assert shelf.names() == [] and upload(client, **peft_files()).status_code == 201


# --- many at once


def test_of_uploads_of_one_name_exactly_one_wins(client: Watching, shelf: AdapterStore) -> None:
    files = [
        peft_files({**PLANTED, "layers.0.self_attn.to_q": LowRank(torch.full((4, 12), i + 1.0), torch.ones(12, 4))})
        for i in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda parts: upload(client, **parts).status_code, files))
    assert sorted(codes) == [201, *[409] * 5]
    kept = shelf.load("mine", BASE)["layers.0.self_attn.to_q"].down
    assert torch.equal(kept, torch.full((4, 12), codes.index(201) + 1.0))


def test_a_hundred_small_requests_at_once_are_all_answered(client: Watching) -> None:
    upload(client, **peft_files())

    def ask(number: int) -> int:
        kind = number % 4
        if kind == 0:
            return int(client.get("/v1/adapters").status_code == 200)
        if kind == 1:
            return int(client.get("/v1/adapters/mine").json()["name"] == "mine")
        if kind == 2:
            return int(client.delete(f"/v1/adapters/none-{number}").status_code == 404)
        return int(upload(client, f"new-{number}", weights=b"garbage").status_code in (422, 429))

    with ThreadPoolExecutor(100) as pool:
        assert sum(pool.map(ask, range(100))) == 100


def test_uploads_beyond_the_limit_wait_outside(client: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.adapters, "MAX_UPLOADS", 0)
    answer = upload(client, **peft_files())
    assert "which is the limit" in problem(answer, 429) and answer.headers["retry-after"] == "10"


# --- over a real socket


@pytest.fixture
def port(shelf: AdapterStore, work: Path) -> Iterator[int]:
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen()
    config = uvicorn.Config(
        small_app(adapter_routes(shelf, BASE, "stand-in", work)), log_level="critical", lifespan="off"
    )
    serving = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(serving.serve(sockets=[opened])))
    thread.start()
    yield int(opened.getsockname()[1])
    serving.should_exit = True
    thread.join(10)
    opened.close()


def test_a_client_that_leaves_while_it_uploads_leaves_nothing(port: int, shelf: AdapterStore, work: Path) -> None:
    head = (
        b"POST /v1/adapters HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    part = b'--b\r\nContent-Disposition: form-data; name="weights"; filename="x.safetensors"\r\n\r\n'

    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + part + bytes(1 << 20))
        until(lambda: any(path.is_file() and path.stat().st_size > 1 << 19 for path in held(work)), 20)
    until(lambda: not held(work), 20)
    assert not shelf.folder.exists()


def test_a_large_upload_is_never_whole_in_memory(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 64 << 20
    save_file({"x": torch.zeros(size // 4)}, tmp_path / "large.safetensors")
    peaks = []

    def stop(*_: object, **__: object) -> None:
        peaks.append(tracemalloc.get_traced_memory()[1])
        raise MemoryError

    monkeypatch.setattr(api.adapters, "import_adapter", stop)
    tracemalloc.start()
    try:
        with (tmp_path / "large.safetensors").open("rb") as file:
            answer = httpx.post(
                f"http://127.0.0.1:{port}/v1/adapters", data={"name": "mine"}, files={"weights": file}, timeout=60
            )
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413 and "do not fit into this machine's memory" in answer.text
    assert peaks[0] < 8 << 20


# --- what is to blame


def test_the_part_of_the_form_that_is_to_blame_is_named(client: Watching, shelf: AdapterStore) -> None:
    def blamed(name: str | None = "mine", **parts: Any) -> str:
        found = upload(client, name, **{**peft_files(), **parts}).json()
        [fault] = found["errors"]
        assert fault["detail"] == found["detail"]
        return str(fault["field"])

    assert upload(client, "taken", **peft_files()).status_code == 201
    assert blamed("taken") == blamed("base") == blamed("../up") == blamed(None) == "name"
    for weights in (b"x" * 500, pickle.dumps({"x": 1}), save({"x": torch.ones(2)}), b""):
        assert blamed(weights=weights) == "weights"
    assert blamed(client_name="adapter.pt") == "weights"
    foreign = {name.replace("layers", "blocks"): layer for name, layer in PLANTED.items()}
    assert blamed(**peft_files(foreign)) == "weights"
    assert blamed(config=b"[]") == blamed(config=b'{"r": 4, "lora_alpha": 8, "use_dora": true}') == "config"
    assert blamed(config=b"") == blamed(config=b'{"r": 5, "lora_alpha": 8}') == "config"
    assert blamed(card=b"{}") == blamed(card=json.dumps(a_card(fingerprint="0" * 16)).encode()) == "card"
    assert blamed(description="x" * 2001) == "description"
    assert shelf.names() == ["taken"]


def test_a_fault_of_the_server_is_no_fields(client: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise AdapterError("no room") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(AdapterStore, "add", full)
    answer = upload(client, **peft_files())
    assert answer.status_code == 507 and "errors" not in answer.json()
