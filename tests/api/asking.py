"""Asking the API for songs, and reading what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi.testclient import TestClient

from tests.waiting import until

SONG: dict[str, Any] = {"caption": "folk", "lyrics": "hello old friend", "seed": 1, "steps": 2}


def sing(client: TestClient, **fields: Any) -> dict[str, Any]:
    """A song, sung."""
    answer = client.post("/v1/songs?wait=true", json={**SONG, **fields})
    found: dict[str, Any] = answer.json()
    assert answer.status_code == 200, found
    return found


def settle(client: TestClient, song_id: str) -> dict[str, Any]:
    """The song once the judge is done with it."""

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/v1/songs/{song_id}").json()
        return found if found["judged"] is not None and found["judged"]["state"] != "waiting" else None

    found = until(look)
    assert found is not None
    return found


def read_events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream, as far as it is read: id, event and data."""
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line.startswith(":"):
            event["comment"] = True
        elif line:
            event[name] = json.loads(value) if name in ("data", "id") else value
        elif event:
            yield event
            event = {}
