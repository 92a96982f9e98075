"""Where a forward pass spends its time, by kind of work, as torch's own profiler tells."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch
from torch.profiler import ProfilerActivity, profile

from bench.subjects import MemoryShelf, Subject
from bench.throughput import requests_of
from engine.singer import Singer

#: Kinds of work by the names of torch's operators; what is in none of them is "other".
KINDS = {
    "matrix products of the model": ("aten::mm", "aten::linear", "aten::addmm", "aten::bmm"),
    "products of the adapters, added in place": ("aten::addmm_",),
    "attention": ("aten::_scaled_dot_product_flash_attention_for_cpu", "aten::_scaled_dot_product_attention_math"),
    "norms, rotation, modulation, gates": (
        "aten::mul", "aten::mul_", "aten::add", "aten::add_", "aten::silu", "aten::pow", "aten::mean", "aten::rsqrt",
        "aten::sum", "aten::neg", "aten::div_", "aten::div",
    ),
    "copies and padding": ("aten::cat", "aten::copy_", "aten::stack", "aten::fill_"),
}  # fmt: skip


@dataclass(frozen=True)
class Shares:
    """Share of a pass's time by kind of work."""

    rows: int
    shares: dict[str, float]


def profile_pass(subject: Subject, songs: int = 8, seconds: float = 9.0, passes: int = 5) -> Shares:
    """Profile passes of a batch in which every song sings with a blend of its own."""
    singer = Singer(subject.model, MemoryShelf(subject.adapters))
    requests = requests_of(subject, songs, seconds)
    drawn = random.Random(0)
    with torch.inference_mode():
        rows = [singer.prepare(request).row() for request in requests]
        blends = [{name: drawn.uniform(0.1, 1) for name in sorted(subject.adapters)[:4]} for _ in rows]
        rows = [replace(row, voices=singer.bank.voices(b)) for row, b in zip(rows, blends, strict=True)]
        singer.transformer(rows)
        with profile(activities=[ProfilerActivity.CPU]) as found:
            for _ in range(passes):
                singer.transformer(rows)
    spent = {event.key: float(event.self_cpu_time_total) for event in found.key_averages()}
    whole = sum(spent.values())
    shares = {kind: sum(spent.get(name, 0.0) for name in names) / whole for kind, names in KINDS.items()}
    return Shares(sum(1 + row.guided for row in rows), {**shares, "other": 1 - sum(shares.values())})
