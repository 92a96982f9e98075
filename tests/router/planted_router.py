"""A world in which quiet songs need the adapter ``a`` and loud ones ``b``, and a router fitted to it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.resampling import Estimate
from eval.table import Table
from router.examples import find_default, make_examples, pair
from router.features import Featuriser
from router.findings import Findings, Judged, Score
from router.fitting import Evidence
from router.policies import POLICIES
from router.policies.search import search
from router.router import Router
from tests.eval.lattices import row, table_of

JUDGE, SECOND = "planted int8 beam 5", "second int8 beam 5"
NAMES = ("base", "a=1", "b=1")
ADAPTERS = {"a": "aaaa", "b": "bbbb", "random": "ffff"}
MODEL = "0123456789abcdef"
KINDS = ("quiet", "loud")
_INSTRUMENTS = (
    "harp",
    "fiddle",
    "piano",
    "guitar",
    "flute",
    "drum",
    "organ",
    "cello",
    "banjo",
    "horn",
    "choir",
    "bass",
)
_WIDTH = 256


@dataclass
class Words:
    """A sentence model that knows which words are there; ``asked`` keeps what it was asked."""

    name: str = "words"
    fingerprint: str = "fake0"
    asked: list[str] = field(default_factory=list)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        out = np.zeros((len(texts), _WIDTH), np.float32)
        for at, text in enumerate(texts):
            for word in text.lower().replace(",", " ").replace(".", " ").split():
                out[at, zlib.crc32(word.encode()) % _WIDTH] += 1
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(lengths > 0, lengths, 1), np.float32)


class Chosen(NamedTuple):
    """What validation would have chosen."""

    findings: Findings
    signal: bool
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    settings: dict[str, Any]
    mixing: float | None


def caption_of(kind: str, instrument: str, number: int) -> str:
    """Two prompts share kind and instrument, or kind alone; each has two to four words of its own."""
    own = " ".join(f"{word}{number}{instrument}" for word in ("mood", "key", "voice", "tempo")[: 2 + number % 3])
    return f"a very {kind} {kind} song with {instrument} {own}"


def plant_table(
    *,
    repaired: float = 0.3,
    names: Sequence[str] = NAMES,
    genres: int = 12,
    prompts: int = 3,
    seeds: int = 2,
    first: int = 0,
    about: dict[str, Any] | None = None,
) -> Table:
    """Songs of ``genres`` times ``prompts`` prompts, of 40 words each.

    Base loses 16; the adapter that is right for a prompt loses ``repaired`` of the words fewer and the other one many
    more, so that base is the best over all. ``a=0.7`` does four fifths of what ``a=1`` does. Numbers of prompts,
    which their lyrics tell, begin with ``first``.
    """
    rng = np.random.default_rng(first)
    rows = []
    for g in range(genres):
        kind = KINDS[g % 2]
        for p in range(first, first + prompts):
            for s in range(seeds):
                for name in names:
                    right = name.startswith("a=" if kind == "quiet" else "b=")
                    strength = repaired * {"a=1": 1, "b=1": 1, "a=0.7": 0.8}.get(name, 0)
                    lost = 0.4 - strength if right else 0.4 + 1.6 * strength
                    for judge in (JUDGE, SECOND):
                        wrong = int(rng.binomial(40, lost))
                        rows.append(
                            row(
                                f"{_INSTRUMENTS[g]}-{p}", 100 * p + s, name, wrong, 40, judge=judge, wer=wrong / 40,
                                caption=caption_of(kind, _INSTRUMENTS[g], p), tags=f"{kind}, {_INSTRUMENTS[g]}",
                                lyrics=f"[verse]\nsing me a line of the {_INSTRUMENTS[g]}\nand count to {p}",
                            )
                        )  # fmt: skip
    known = {"model": "models/planted", "model_fingerprint": MODEL, "adapters": dict(ADAPTERS)}
    return Table(table_of(rows).songs, table_of(rows).heads, known if about is None else about)


def plant_findings(policy: str = "ridge", names: tuple[str, ...] = NAMES) -> Findings:
    """Findings that say little."""
    half = Estimate(0.5, 0.4, 0.6)
    nought = Estimate(0.0, None, None)
    score = Score("router", "router", half, nought, None, None, 1, 2, 3, 0.25)
    return Findings(
        kind="fit", policy=policy, default="base", compositions=names, controls=(), prompts=36, genres=12, seeds=2,
        judges=(Judged(JUDGE, True, (score,), None, None),), genre_rows=(), risk=(), calibration=None, map=(),
        permuted=(), curves=(), signal="There is something to route.", blending="",
    )  # fmt: skip


def plant_router(
    sentences: Words | None = None,
    *,
    policy: str = "ridge",
    signal: bool = True,
    table: Table | None = None,
    evidence: Evidence | None = None,
    confidence: float = 0.8,
    mixing: float | None = None,
) -> Router:
    """A router fitted to the planted world, with the settings that a search finds."""
    table = plant_table() if table is None else table
    sentences = Words() if sentences is None else sentences
    examples = make_examples(table, JUDGE)
    features = Featuriser(sentences).describe(examples.texts)
    settings = search(POLICIES[policy], features, pair(examples, find_default(examples))).settings
    spread = np.full(len(examples.compositions), 0.1)
    return Router.fit(
        examples,
        features,
        sentences,
        Chosen(plant_findings(policy, examples.compositions), signal, -spread, spread, settings, mixing),
        confidence=confidence,
        about=table.about,
        evidence=evidence,
    )
