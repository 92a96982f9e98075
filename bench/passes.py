"""Forward passes: what adapters, folding, watching and remembered keys cost or save, beside the bare transformer.

All on one batch of songs of one length, in turns. The bare pass is our own without adapters; diffusers' own and peft's
mixed batch are told beside it.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from bench.peers import PeftPeer, add_blends, blend_name, mixed_batch
from bench.singing import LYRICS
from bench.subjects import MemoryShelf, Subject
from bench.taking_turns import ratio, time_in_turns
from engine.bank import Voices
from engine.forward import Row
from engine.request import SongRequest
from engine.singer import Singer

BARE = "bare"


@dataclass(frozen=True)
class PassCosts:
    """Median seconds of the bare pass, and the median over rounds of each way's ratio to it.

    ``rows`` of ``frames`` latent frames each; half of the rows hear the null condition where the preset guides.
    """

    rows: int
    frames: int
    rounds: int
    bare: float
    ratios: dict[str, float]


def time_passes(
    subject: Subject, songs: int = 8, seconds: float = 9.0, rounds: int = 9, told: Callable[[], None] = lambda: None
) -> PassCosts:
    """Time all ways in turns; ``told`` is called after each round."""
    shelf = MemoryShelf(subject.adapters)
    singer = Singer(subject.model, shelf)
    requests = [SongRequest(caption="folk", lyrics=LYRICS, seed=n, duration=seconds) for n in range(songs)]
    with torch.inference_mode():
        rows = [singer.prepare(request).row() for request in requests]
    drawn = random.Random(0)
    blends = [{name: round(drawn.uniform(0.1, 1), 2) for name in sorted(subject.adapters)[:4]} for _ in rows]
    mixed = [replace(row, voices=singer.bank.voices(blend)) for row, blend in zip(rows, blends, strict=True)]
    one = singer.bank.voices(blends[0])
    folded = [replace(row, voices=one) for row in rows]
    layers = sorted(subject.model.alignment_heads)[:2]
    eight = {layer: list(range(4)) for layer in layers}
    watched = [replace(row, heads=eight) for row in rows]
    peer = PeftPeer(subject)
    add_blends(peer, blends)
    tall = _stock_inputs(singer, requests, rows)
    names = [blend_name(blend) for blend in blends] * (2 if rows[0].guided else 1)

    def again(voices: Voices) -> None:
        """A pass that makes keys and values anew, as stock code does at every step."""
        null = subject.model.condition_encoder.null_condition_emb
        singer.transformer([replace(r, memory=singer.transformer.remember(packed, null, voices)) for r in rows])

    packed = tall[3][:1]

    @torch.inference_mode()
    def stock() -> None:
        subject.model.transformer(*tall, return_dict=False)

    @torch.inference_mode()
    def by_peft() -> None:
        with mixed_batch(peer.transformer, names):
            peer.transformer(*tall, return_dict=False)

    def ours(given: list[Row]) -> Callable[[], None]:
        @torch.inference_mode()
        def run() -> None:
            singer.transformer(given)

        return run

    ways: dict[str, Callable[[], object]] = {
        BARE: ours(rows),
        "diffusers": stock,
        "blends per row": ours(mixed),
        "peft mixed batch": by_peft,
        "folded": ours(folded),
        "8 heads watched": ours(watched),
        "keys and values anew": torch.inference_mode()(lambda: again(())),
    }
    spent = time_in_turns(ways, rounds, told)
    count = len(tall[0])
    return PassCosts(
        count,
        len(rows[0].latents),
        rounds,
        statistics.median(spent[BARE]),
        {name: ratio(spent, name, BARE) for name in ways if name != BARE},
    )


def _stock_inputs(
    singer: Singer, requests: list[SongRequest], rows: list[Row]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same batch as diffusers' transformer takes it."""
    seconds = len(rows[0].latents) / singer.model.frame_rate
    latents = torch.stack([row.latents for row in rows])
    context = torch.stack([row.context for row in rows])
    condition = torch.cat([singer.condition(request, seconds).packed for request in requests])
    if rows[0].guided:
        null = singer.model.condition_encoder.null_condition_emb.expand_as(condition)
        latents, context = torch.cat([latents, latents]), torch.cat([context, context])
        condition = torch.cat([condition, null])
    time = torch.full((len(latents),), rows[0].time)
    return latents, time, time, condition, context
