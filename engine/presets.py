"""How each released variant of the song model wants to be sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Preset:
    """Sampling defaults of a model variant.

    ``guidance`` 1 means none. ``rule``: plain classifier-free guidance ("cfg"), or adaptive projected guidance ("apg",
    Sadat et al. 2024) as ACE-Step's base and SFT models were tuned with.
    """

    name: str
    steps: int
    shift: float
    guidance: float
    rule: Literal["cfg", "apg"]
    max_seconds: float


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("tiny", steps=12, shift=1.0, guidance=3.5, rule="cfg", max_seconds=24.0),
        Preset("turbo", steps=8, shift=3.0, guidance=1.0, rule="apg", max_seconds=600.0),
        Preset("base", steps=50, shift=1.0, guidance=7.0, rule="apg", max_seconds=600.0),
        Preset("sft", steps=50, shift=1.0, guidance=7.0, rule="apg", max_seconds=600.0),
    )
}
