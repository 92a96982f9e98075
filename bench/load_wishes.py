"""What the clients of a load run ask for: songs of all kinds, and what must be refused, each with its exact status.

Drawn from a seeded generator, so that the same client asks for the same. Knows no HTTP but in :class:`BadInput`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

LINES = (
    "The kitchen light is still on",
    "Your letter lies on the table",
    "I read it over again",
    "As slowly as I am able",
    "Meet me under the station clock",
    "The last train left at seven",
    "Rain is running down the glass",
    "We counted stars up to eleven",
    "Hold the door and hold my hand",
    "Every river finds the sea",
    "Sing it louder than before",
    "Carry all the summer home to me",
)
CAPTIONS = (
    "folk",
    "bright pop song",
    "slow blues at night",
    "punk",
    "a quiet lullaby",
    "synthwave",
    "choral",
    "reggae",
)
#: Shares of songs by base, by one adapter, and by a blend of two or three.
_SHARES = (30, 40, 30)


def draw_song(rng: Random, adapters: Sequence[str]) -> dict[str, Any]:
    """The fields of one song of one to four lines; it always has a seed, so that it can be sung again."""
    fields: dict[str, Any] = {
        "caption": rng.choice(CAPTIONS),
        "lyrics": "\n".join(rng.sample(LINES, rng.randint(1, 4))),
        "seed": rng.randrange(2**31),
        "composition": _draw_composition(rng, adapters),
    }
    if rng.random() < 0.3:
        fields["steps"] = rng.randint(4, 20)
    if rng.random() < 0.2:
        fields["guidance"] = rng.choice([1, 2, 5])
    if rng.random() < 0.2:
        fields["melody_seed"] = rng.randrange(1000)
    if rng.random() < 0.2:
        fields["tempo"] = rng.randint(90, 140)
    wish = rng.random()
    if wish < 0.2:
        fields["attention"] = {"steps": "all"}
    elif wish < 0.4:
        fields["attention"] = None
    return fields


def _draw_composition(rng: Random, adapters: Sequence[str]) -> Any:
    kind = rng.choices(("base", "one", "blend"), _SHARES)[0]
    if kind == "base" or not adapters:
        return {}
    if kind == "one" or len(adapters) == 1:
        return {rng.choice(adapters): rng.choice([1.0, 1.0, 0.5])}
    names = rng.sample(list(adapters), rng.randint(2, min(3, len(adapters))))
    blend = {name: rng.randint(1, 10) / 10 for name in names}
    # Both ways of writing one mean the same.
    return blend if rng.random() < 0.7 else ",".join(f"{name}={weight}" for name, weight in blend.items())


@dataclass(frozen=True)
class BadInput:
    """A request that must be refused with ``status`` and a problem whose sentence holds ``says``."""

    name: str
    status: int
    method: str = "POST"
    path: str = "/v1/songs"
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    says: str = ""


def _song(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _of_song(rest: str, status: int, name: str, method: str = "GET", **headers: str) -> BadInput:
    return BadInput(name, status, method, f"/v1/songs/{rest}", None, headers)


_NOWHERE = "00000000deadbeef"
BAD_INPUTS: tuple[BadInput, ...] = (
    BadInput("no JSON", 400, body=b'{"lyrics": "hello'),
    BadInput("a list", 422, body=b"[1, 2]"),
    BadInput("text instead of JSON", 415, body=b"hello", headers={"Content-Type": "text/plain"}),
    BadInput("a huge body", 413, body=b'{"lyrics": "' + b"la " * 700_000 + b'"}', says="1,048,576"),
    BadInput("long lyrics", 422, body=_song(lyrics="la " * 2000), says="5,000"),
    BadInput("no such field", 422, body=_song(lyrics="hello", volume=11), says="volume"),
    BadInput(
        "no such adapter", 404, body=_song(lyrics="hello", composition={"no-such-voice": 1}), says="no-such-voice"
    ),
    BadInput("too heavy", 422, body=_song(lyrics="hello", composition={"lyrics": 1e9}), says="lyrics"),
    BadInput("not a number", 422, body=b'{"lyrics": "hello", "guidance": NaN}', says="guidance"),
    BadInput("a negative seed", 422, body=_song(lyrics="hello", seed=-1), says="seed"),
    BadInput("no Latin letters", 422, body=_song(lyrics="привет"), says="Latin"),
    BadInput("a comparison of nothing", 422, path="/v1/compare", body=_song(lyrics="hello", compositions=[])),
    BadInput("a list without end", 422, "GET", "/v1/songs?limit=100000", headers={}),
    BadInput("no such filter value", 422, "GET", "/v1/songs?state=lost", headers={}),
    BadInput("no such method", 405, "PUT", "/v1/songs", b"{}"),
    BadInput("another host", 421, "GET", "/v1/songs", headers={"Host": "evil.example"}),
    _of_song(_NOWHERE, 404, "no such song"),
    _of_song(f"{_NOWHERE}/audio", 404, "no such sound"),
    _of_song(f"{_NOWHERE}/events", 404, "no such events"),
    _of_song(f"{_NOWHERE}/audio?format=aiff", 422, "no such format"),
    _of_song("..%2f..%2fetc%2fpasswd", 404, "a path outside"),
    _of_song(_NOWHERE, 404, "deleting nothing", "DELETE"),
)
