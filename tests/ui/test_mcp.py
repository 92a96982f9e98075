"""The tools of MCP: three, answered in JSON and refused in our sentences, with the key, and at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import CallToolResult, TextContent

from api.guard import MAX_JSON, Access
from engine.song_model import SongModel
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, FakeRouter, hold, make_songs, served
from tests.waiting import until
from ui.songs import Songs

KEY = "a-key-of-the-tests"
WISH = {"caption": "folk", "lyrics": "hello old friend", "seed": 7, "steps": 2}


@pytest.fixture(scope="module")
def songs(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Songs:
    return make(random_model, tmp_path_factory.mktemp("mcp"))


@pytest.fixture(scope="module")
def address(songs: Songs) -> Iterator[str]:
    with served(songs, access=Access(key=KEY)) as url:
        until(lambda: songs.routing.state == "ready")
        yield url


def make(model: SongModel, folder: Path) -> Songs:
    shelf = make_shelf(folder / "shelf", model.transformer)
    return make_songs(model, folder / "songs", FakeJudge("hello cold friend"), shelf, router=FakeRouter())


@asynccontextmanager
async def tools_of(address: str, key: str = KEY) -> AsyncIterator[ClientSession]:
    async with (
        create_mcp_http_client({"Authorization": f"Bearer {key}"}) as client,
        streamable_http_client(f"{address}/gradio_api/mcp/", http_client=client) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


def use(address: str, work: Callable[[ClientSession], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with tools_of(address) as session:
            await work(session)

    asyncio.run(whole())


def said(result: CallToolResult) -> str:
    assert len(result.content) == 1 and isinstance(result.content[0], TextContent)
    return result.content[0].text


def test_there_are_three_tools_and_they_say_what_they_take(address: str) -> None:
    async def work(session: ClientSession) -> None:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == {"sing", "route", "compare"}
        for tool in tools.values():
            assert tool.description and tool.description.endswith(".")
            fields = tool.inputSchema["properties"]
            assert all(field["description"] for field in fields.values()), tool.name
        assert tools["compare"].inputSchema["required"] == ["compositions"]
        assert tools["sing"].inputSchema["properties"]["seed"]["oneOf"] == [{"type": "null"}, {"type": "integer"}]

    use(address, work)


def test_the_tools_answer_in_json(address: str) -> None:
    async def work(session: ClientSession) -> None:
        song = json.loads(said(await session.call_tool("sing", WISH)))
        assert song["state"] == "done" and song["transcript"] == "hello cold friend" and song["wer"] == 0.3333
        sound = httpx.get(address + song["links"]["audio"], headers={"X-API-Key": KEY})
        assert sound.content[:4] == b"fLaC"
        decision = json.loads(said(await session.call_tool("route", {"caption": "folk"})))
        assert decision["composition"] == {"folk": 0.5}
        found = json.loads(said(await session.call_tool("compare", {**WISH, "compositions": ["base", "routed"]})))
        assert [one["composition"] for one in found["songs"]] == [{}, {"folk": 0.5}]

    use(address, work)


@pytest.mark.parametrize(
    ("tool", "given", "sentence"),
    [
        ("sing", {"composition": "ghost"}, "there is no adapter ghost"),
        ("sing", {"steps": 0}, "steps: 0 is too few: choose 1 to 200"),
        ("sing", {"lyrics": "🎵🎶"}, "can be sung: write English words"),
        ("sing", {"seed": "seven"}, "'seven' is not valid"),
        ("compare", {}, "'compositions' is a required property"),
        ("compare", {"compositions": ["base"] * 2}, "stands there twice"),
        ("sing", {"caption": "folk", "volume": 3}, "volume"),
        ("songs", {}, "Unknown tool"),  # a call for gradio_client, and no tool
        ("delete", {"song": "f" * 16}, "Unknown tool"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(address: str, tool: str, given: dict[str, Any], sentence: str) -> None:
    async def work(session: ClientSession) -> None:
        result = await session.call_tool(tool, given)
        assert result.isError and sentence in said(result)
        assert "Traceback" not in said(result) and "/site-packages/" not in said(result)

    use(address, work)


def test_songs_of_two_tools_are_sung_together_and_others_answer_meanwhile(address: str, songs: Songs) -> None:
    singer, held = songs.engine.singer, hold(songs)

    async def work(session: ClientSession) -> None:
        async with tools_of(address) as other, asyncio.timeout(60):
            one = asyncio.create_task(session.call_tool("sing", WISH))
            two = asyncio.create_task(other.call_tool("sing", {**WISH, "seed": 8}))
            while songs.engine.queued + songs.engine.running < 2:
                await asyncio.sleep(0.01)
            decision = json.loads(said(await session.call_tool("route", {"caption": "folk"})))
            assert decision["name"] == "folk=0.5" and not one.done() and not two.done()
            held.go.set()
            assert [json.loads(said(result))["seed"] for result in await asyncio.gather(one, two)] == [7, 8]

    use(address, work)
    songs.engine.singer = singer


def test_without_the_key_there_are_no_tools(address: str) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    for path in ("/gradio_api/mcp/", "/gradio_api/mcp", "/gradio_api/mcp/http/", "/gradio_api/mcp/messages/"):
        refused = httpx.post(address + path, json=asked, headers=accept)
        assert refused.status_code == 401 and "API key" in refused.json()["detail"]
    for path in ("/gradio_api/mcp/", "/gradio_api/mcp/sse", "/gradio_api/mcp/schema"):
        assert httpx.get(address + path).status_code == 401
    wrong = httpx.post(f"{address}/gradio_api/mcp/", json=asked, headers={**accept, "X-API-Key": "wrong-key"})
    assert wrong.status_code == 401 and "the API key is wrong" in wrong.json()["detail"]


def test_a_body_that_is_too_large_and_another_sites_page_are_refused(address: str) -> None:
    shown = {"X-API-Key": KEY, "Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    large = httpx.post(f"{address}/gradio_api/mcp/", content=b" " * (MAX_JSON + 1), headers=shown)
    assert large.status_code == 413 and "1,048,576 bytes" in large.json()["detail"]
    foreign = httpx.post(f"{address}/gradio_api/mcp/", content=b"{}", headers={**shown, "Origin": "http://evil.test"})
    assert foreign.status_code == 403


def test_a_server_ends_while_tools_are_open_and_a_song_is_waited_for(random_model: SongModel, tmp_path: Path) -> None:
    made = make(random_model, tmp_path)
    held, serving = hold(made), ExitStack()

    async def stay(address: str) -> None:
        async with tools_of(address) as session:
            await session.call_tool("sing", WISH)

    async def whole() -> float:
        waiting = asyncio.create_task(stay(serving.enter_context(served(made))))
        while made.engine.running < 1:
            assert not waiting.done(), waiting.exception()
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(3, held.go.set)  # the step at hand ends after the answers' time is over
        began = time.monotonic()
        await asyncio.to_thread(serving.close)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return time.monotonic() - began

    assert asyncio.run(whole()) < 20
    assert not made.engine.alive
