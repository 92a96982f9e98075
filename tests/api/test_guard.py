"""The doors in front of every route: names of this server, its key, pages of other sites, bodies without end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from api.app import MAX_UPLOAD, body_limit, build_app
from api.guard import COOKIE, MAX_JSON, Access, BodyLimit, Doorman, RequestIds
from engine.song_model import SongModel
from tests.api.asking import SONG
from tests.api.small_app import problem
from tests.ui.planted import make_songs

KEY = "correct horse battery".replace(" ", "-")


async def here(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(scope["path"])(scope, receive, send)


def doors(access: Access | None = None, base: str = "http://localhost", **options: Any) -> TestClient:
    return TestClient(RequestIds(Doorman(here, access or Access())), base, follow_redirects=False, **options)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:7860", "LOCALHOST", "localhost.", "127.0.0.1:80", "192.168.1.7", "[::1]:7860", "[::1]",
     "sing.example.org", "Sing.Example.org:8443"],
)  # fmt: skip
def test_the_server_answers_to_its_names_and_to_addresses(host: str) -> None:
    client = doors(Access(hosts=frozenset({"sing.example.org"})))
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.evil.example", 421),
     ("xsing.example.org", 421), ("", 400), ("a b", 400), ("localhost:port", 400), ("localhost/evil", 400),
     ("user@localhost", 400), ("[::1", 400)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/songs"])
def test_other_names_are_not_answered(host: str, status: int, path: str) -> None:
    problem(doors(Access(hosts=frozenset({"sing.example.org"}))).get(path, headers={"Host": host}), status)


def test_two_hosts_are_none() -> None:
    problem(doors().get("/", headers=[("Host", "localhost"), ("Host", "evil.example")]), 400)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program that is no browser
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "https://localhost:443"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://sing.example.org"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "Cross-Site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "https://sing.example.org:443"}, 200),
        ({"Origin": "https://sing.example.org:8443"}, 403),
        ({"Origin": "https://sing.example.org:8443", "Host": "localhost:8443"}, 200),
        ({"Origin": "https://sing.example.org:8443", "Host": "sing.example.org:8443"}, 200),
        ({"Origin": "https://sing.example.org:8443", "Host": "sing.example.org:7860"}, 403),
        ({"Origin": "https://sound.example.org:8443"}, 200),  # which was given with its port
        ({"Origin": "https://sound.example.org"}, 403),
        ({"Origin": "ftp://localhost"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://[foo]"}, 403),
        ({"Origin": "http://a]b"}, 403),
        ({"Origin": "http://user@localhost"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "SPAWN"])
def test_pages_of_other_sites_change_nothing(headers: dict[str, str], status: int, method: str) -> None:
    client = doors(Access(hosts=frozenset({"sing.example.org", "sound.example.org:8443"})))
    assert client.request(method, "/v1/songs", headers=headers).status_code == status
    assert client.get("/v1/songs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY} "}, {"X-API-Key": KEY}]
)
def test_the_key_opens(headers: dict[str, str]) -> None:
    assert doors(Access(key=KEY)).get("/v1/songs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": KEY}, {"Authorization": f"Basic {KEY}"},
     {"X-API-Key": KEY[:-1]}, {"X-API-Key": ""}, {"X-API-Key": "ключ".encode()}, {"Cookie": f"{COOKIE}={KEY}"},
     {"Cookie": f"{COOKIE}="}, {"Cookie": "\x01;;=;"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/v1/songs", "/metrics", "/v1/openapi.json", "/healthz/", "/readyz/../v1/songs"])
def test_without_the_key_nothing_opens(headers: dict[str, Any], path: str) -> None:
    answer = doors(Access(key=KEY)).get(path, headers=headers)
    problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer" and KEY not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_key(path: str) -> None:
    assert doors(Access(key=KEY)).get(path).status_code == 200


def test_a_page_opened_with_the_key_keeps_a_pass_and_loses_the_key_from_its_address() -> None:
    client = doors(Access(key=KEY))
    answer = client.get(f"/?song=0123456789abcdef&key={KEY}&a=%20b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?song=0123456789abcdef&a=+b")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie and KEY not in cookie
    assert "Secure" not in cookie
    assert client.get("/v1/songs").status_code == 200, "the browser sends it from now on"
    problem(doors(Access(key=KEY)).get("/?key=wrong"), 401)
    problem(doors(Access(key="another-key-12345"), cookies=dict(client.cookies)).get("/"), 401)
    problem(doors(Access(key=KEY)).get(f"/v1/songs?key={KEY}"), 401)
    problem(doors(Access(key=KEY)).post(f"/?key={KEY}"), 401)
    assert "Secure" in doors(Access(key=KEY), "https://localhost").get(f"/?key={KEY}").headers["set-cookie"]


@pytest.mark.parametrize("path", ["//evil.example/", "/%2f/evil.example", "/%5cevil.example", "/\\evil.example/x"])
def test_the_key_leads_to_no_other_site(path: str) -> None:
    answer = doors(Access(key=KEY)).get(f"http://localhost{path}?key={KEY}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/") and answer.headers["location"][1] not in "/\\"


def test_a_websocket_is_let_in_by_the_same_doors() -> None:
    sent: list[Message] = []

    async def ask(*headers: tuple[bytes, bytes]) -> bool:
        entered = []

        async def inner(*_: Any) -> None:
            entered.append(True)

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": [(b"host", b"localhost"), *headers]}
        await Doorman(inner, Access(key=KEY))(scope, receive, send)
        return bool(entered)

    key = (b"x-api-key", KEY.encode())
    assert asyncio.run(ask(key)) and not asyncio.run(ask())
    for origin in (b"http://evil.example", b"http://[", b"http://[foo]", b"http://a]b"):
        assert not asyncio.run(ask(key, (b"origin", origin)))
    assert {message["type"] for message in sent} == {"websocket.close"}


class Slow:
    """A body that comes in chunks, ``pause`` seconds between two."""

    def __init__(self, chunk: bytes, chunks: int, pause: float = 0.0) -> None:
        self.chunk, self.left, self.pause, self.sent = chunk, chunks, pause, 0

    async def receive(self) -> Message:
        await asyncio.sleep(self.pause)
        self.left -= 1
        self.sent += len(self.chunk)
        return {"type": "http.request", "body": self.chunk, "more_body": self.left > 0}


def refuse(body: Slow, most: int, seconds: float, *headers: tuple[bytes, bytes]) -> tuple[int, bool]:
    """The status of the answer, and whether the application had the whole body."""
    whole, statuses = False, []

    async def greedy(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal whole
        try:
            while (await receive())["more_body"]:
                pass
            whole = True
        except Exception:  # as a framework would that takes any error in a body for its own
            pass
        await PlainTextResponse("taken")(scope, receive, send)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": "/v1/songs", "headers": list(headers)}
    asyncio.run(BodyLimit(greedy, lambda *_: (most, seconds))(scope, body.receive, send))
    assert len(statuses) == 1
    return statuses[0], whole


def test_an_endless_body_is_not_read_to_its_end() -> None:
    body = Slow(b" " * 65_536, 10_000)
    assert refuse(body, MAX_JSON, 30) == (413, False)
    assert body.sent <= MAX_JSON + 65_536


def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    body = Slow(b" ", 10)
    assert refuse(body, 5, 30, (b"content-length", b"6")) == (413, False) and body.sent == 0
    assert refuse(Slow(b" ", 3), 5, 30, (b"content-length", b"9" * 5000)) == (413, False)


def test_a_body_that_lies_about_its_length_is_counted_all_the_same() -> None:
    assert refuse(Slow(b" " * 4, 4), 10, 30, (b"content-length", b"1")) == (413, False)


def test_a_body_at_its_limit_is_taken() -> None:
    assert refuse(Slow(b" " * 5, 2), 10, 30) == (200, True)


def test_a_body_that_trickles_in_runs_out_of_time() -> None:
    assert refuse(Slow(b" ", 1000, 0.02), 10_000, 0.1) == (408, False)
    assert refuse(Slow(b" ", 3, 0.01), 10_000, 5) == (200, True)


def test_only_uploads_may_be_large() -> None:
    assert body_limit("POST", "/v1/adapters")[0] == MAX_UPLOAD
    for method, path in (("POST", "/v1/songs"), ("POST", "/gradio_api/upload"), ("PUT", "/v1/adapters"), ("GET", "/")):
        assert body_limit(method, path)[0] == MAX_JSON


@pytest.fixture
def keyed(random_model: SongModel, tmp_path: Path) -> Iterator[TestClient]:
    songs = make_songs(random_model, tmp_path, None)
    with TestClient(build_app(songs, access=Access(key=KEY)), "http://localhost") as client:
        yield client


def test_every_route_is_behind_the_key_and_the_document_says_so(keyed: TestClient) -> None:
    opened = {"X-API-Key": KEY}
    document = keyed.get("/v1/openapi.json", headers=opened).json()
    assert document["security"] == [{"bearer": []}, {"header": []}]
    for path, operations in document["paths"].items():
        for method in operations:
            answer = keyed.request(method, path.replace("{", "").replace("}", ""))
            if path in ("/healthz", "/readyz"):
                assert answer.status_code == 200
            else:
                problem(answer, 401)
                assert "401" in operations[method]["responses"]
    assert keyed.post("/v1/songs", json=SONG, headers=opened).status_code == 202
    problem(keyed.post("/gradio_api/queue/join", json={}), 401)
    assert keyed.get(f"/?key={KEY}").status_code == 200 and keyed.get("/v1/songs").status_code == 200


def test_nothing_is_uploaded_to_the_pages(random_model: SongModel, tmp_path: Path) -> None:
    songs = make_songs(random_model, tmp_path, None)
    with TestClient(build_app(songs), "http://localhost") as client:
        for path in ("/gradio_api/upload", "/gradio_api/upload/", "/gradio_api/upload?upload_id=x"):
            answer = client.post(path, files={"files": ("a.txt", b"hello")})
            assert "POST /v1/adapters" in problem(answer, 404) and "tmp" not in answer.text
        problem(client.get("/gradio_api/upload_progress?upload_id=x"), 404)
        assert client.get("/").status_code == client.get("/config").status_code == 200
