"""How long a router takes to decide, beside sentence-transformers reading one caption.

Prompts are new every time, as those of people are: halves of captions and lyrics that were measured elsewhere, crossed.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations
from pathlib import Path

import numpy as np

from bench.taking_turns import ratio, time_in_turns
from eval.prompts import Prompt, read_prompts
from router.prompt import RouterPrompt
from router.router import Router
from router.sentence_files import find_sentence_model
from router.sentences import load_sentence_model

NEW = "a prompt never seen"
AGAIN = "a caption seen before, other lyrics"
PEER = "sentence-transformers: one caption encoded"
#: Seconds at the median that deciding on a prompt never seen may take.
TARGET = 0.010


@dataclass(frozen=True)
class Routing:
    """``spent``: seconds of every round by way, of :data:`NEW`, :data:`AGAIN` and :data:`PEER`."""

    policy: str
    prompts: int
    compositions: int
    rounds: int
    load_router: float
    load_sentences: float
    spent: dict[str, list[float]]

    def median(self, way: str) -> float:
        """Seconds."""
        return statistics.median(self.spent[way])

    def slow(self, way: str) -> float:
        """Seconds within which 95 % of rounds were through."""
        return float(np.quantile(self.spent[way], 0.95))

    @property
    def ratio(self) -> float:
        """What deciding on a new prompt takes to what the peer takes to read it, the median over rounds."""
        return ratio(self.spent, NEW, PEER)


def time_routing(path: Path, rounds: int, told: Callable[[], None] = lambda: None) -> Routing:
    """Load a router and its sentence model, and time decisions.

    Raises:
        RouterError: the router or its sentence model cannot be had.
    """
    from sentence_transformers import SentenceTransformer

    start = time.perf_counter()
    router = Router.load(path)
    loaded = time.perf_counter()
    name = router.file.sentences.name
    sentences = load_sentence_model(name)
    ready = time.perf_counter()
    router = Router.load(path, sentences)
    peer = SentenceTransformer(str(find_sentence_model(name)[0]), device="cpu")
    fresh, others, read = (list(islice(cross_prompts(read_prompts(), seed), rounds + 1)) for seed in range(3))
    seen = [RouterPrompt(caption="a slow waltz", lyrics=prompt.lyrics) for prompt in others]
    ways: dict[str, Callable[[], object]] = {  # each takes one of its prompts at every turn
        NEW: lambda: router.route(fresh.pop()),
        AGAIN: lambda: router.route(seen.pop()),
        PEER: lambda: peer.encode(read.pop().description, show_progress_bar=False),
    }
    return Routing(
        policy=router.file.policy.name,
        prompts=len(router.file.prompts),
        compositions=len(router.file.compositions),
        rounds=rounds,
        load_router=loaded - start,
        load_sentences=ready - loaded,
        spent=time_in_turns(ways, rounds, told),
    )


def cross_prompts(prompts: Sequence[Prompt], seed: int) -> Iterator[RouterPrompt]:
    """Different prompts in an order drawn by ``seed``: the first half of one's words, tags and lines, and the second
    half of another's."""
    pairs = list(permutations(prompts, 2))
    random.Random(seed).shuffle(pairs)
    for one, other in pairs:
        caption = _cross(one.caption.split(), other.caption.split())
        yield RouterPrompt(
            caption=" ".join(caption),
            tags=tuple(_cross(one.tags, other.tags)),
            lyrics="\n".join(_cross(one.lines, other.lines)),
        )


def _cross(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return [*one[: (len(one) + 1) // 2], *other[(len(other) + 1) // 2 :]]
