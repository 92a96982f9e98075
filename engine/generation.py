"""A song while it is being sung: everything one denoising step needs to know of it, and what the steps leave behind.

Knows nothing of other songs, queues or files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer

from engine.attention import CrossMemory
from engine.attention_maps import MAX_BINS, AttentionFrame, AttentionRecord, pool_frame, thin_steps
from engine.bank import Voices
from engine.denoising import APG_MOMENTUM, Sampling, guided, timesteps
from engine.errors import SongError
from engine.forward import Row, Velocity
from engine.genres import CaptionReading
from engine.live_maps import LiveView, choose_view
from engine.lyric_map import LyricMap
from engine.plan import Plan
from engine.request import SongRequest

#: Attention maps kept of one song; of more, evenly spaced steps are dropped.
KEPT_MEGABYTES = 16.0


@dataclass(eq=False)
class Generation:
    """One song between its preparation and its decoding.

    ``latents`` [frames, channels]; ``context`` [frames, 2 * channels]; ``kinds`` int8 [tokens] of the conditioning;
    ``heads``: those watched, by layer; ``aligned``: those of them that follow the words.
    """

    # what was asked for
    request: SongRequest
    plan: Plan | None
    reading: CaptionReading
    sampling: Sampling
    # what the transformer is given
    latents: torch.Tensor
    context: torch.Tensor
    memory: CrossMemory
    kinds: torch.Tensor
    lyric_map: LyricMap
    voices: Voices
    # what is watched
    heads: Mapping[int, Sequence[int]]
    aligned: Mapping[int, Sequence[int]]
    # how far it is
    step: int = 0
    frames: list[AttentionFrame] = field(default_factory=list)
    maps: dict[int, torch.Tensor] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._times: list[float] = timesteps(self.sampling.steps, self.sampling.shift).tolist()
        self._momentum = MomentumBuffer(momentum=APG_MOMENTUM)

    @property
    def done(self) -> bool:
        return self.step >= self.sampling.steps

    @property
    def rows(self) -> int:
        """Rows the song takes in a batch."""
        return 2 if self.sampling.guidance > 1 else 1

    @property
    def length(self) -> int:
        """Latent frames."""
        return len(self.latents)

    @property
    def shown(self) -> list[tuple[int, int]]:
        """Layer and head of the maps in ``frames``, in their order."""
        return [(layer, head) for layer, heads in self.heads.items() for head in heads]

    def view(self, patches: int) -> LiveView:
        """What is told of the maps of each step; ``patches``: how many the song is long."""
        aligned = {(layer, head) for layer, heads in self.aligned.items() for head in heads}
        return choose_view(self.shown, aligned, min(patches, MAX_BINS), len(self.lyric_map.tokens))

    def tell(self, frame: AttentionFrame | None) -> AttentionFrame | None:
        """The maps of the latest step as they are told to whoever follows the song."""
        if frame is None:
            return None
        patches = next(iter(self.maps.values())).shape[1]
        return self.view(patches).reduce(frame, patches)

    def describe(self, frame_rate: float, patch_size: int) -> dict[str, Any]:
        """What is sung, and what a listener needs to read the maps that are told: heads, words and lyric tokens."""
        view = self.view(-(-self.length // patch_size))
        tokens = [
            {"text": token.text, "kind": token.kind.name.lower(), "word": token.word, "line": token.line}
            for token in self.lyric_map.tokens
        ]
        return {
            "steps": self.sampling.steps,
            "seconds": round(self.length / frame_rate, 3),
            "heads": [list(self.shown[place]) for place in view.places],
            "watched": view.watched,
            "limit": view.limit,
            "words": list(self.lyric_map.words),
            "tokens": tokens,
        }

    def row(self) -> Row:
        """The song as the next forward pass takes it."""
        return Row(
            self.latents,
            self.context,
            self._times[self.step],
            self.memory,
            self.voices,
            self.rows == 2,
            self._watched(),
        )

    def advance(self, velocity: Velocity) -> AttentionFrame | None:
        """Take one Euler step along a velocity; the maps of the step, where they were wanted.

        Raises:
            SongError: the song became not-a-number; its latents and step then are as they were.
        """
        size = self._times[self.step + 1] - self._times[self.step]
        latents = self.latents + size * guided(velocity.asked, velocity.unasked, self.sampling, self._momentum)
        if not bool(torch.isfinite(latents).all()):
            raise SongError(
                f"the song came out as not-a-number at guidance {self.sampling.guidance:g} and {self.sampling.steps} "
                "steps: lower the guidance"
            )
        self.latents, self.step, self.maps = latents, self.step + 1, velocity.maps
        frame = None
        if velocity.maps and self.heads:
            found = torch.cat([self._chosen(velocity.maps, layer, heads) for layer, heads in self.heads.items()])
            frame = pool_frame(self.step, self.shown, found, self.kinds, found.shape[1])
            self.frames = list(thin_steps([*self.frames, frame], KEPT_MEGABYTES))
        return frame

    def record(self, frame_rate: float) -> AttentionRecord | None:
        """The maps kept, None where there are none; ``frame_rate``: patches per second."""
        if not self.frames:
            return None
        patches = next(iter(self.maps.values())).shape[1]
        return AttentionRecord(self.lyric_map, frame_rate, patches, tuple(self.frames))

    def alignment_maps(self) -> torch.Tensor | None:
        """Maps of the heads that follow the words at the last step, [heads, patches, tokens]; None where unwatched."""
        if not self.maps or not self.aligned:
            return None
        return torch.cat([self._chosen(self.maps, layer, heads) for layer, heads in self.aligned.items()])

    def _watched(self) -> dict[int, list[int]] | None:
        """Heads to be captured in the next step, by layer."""
        wish = self.request.attention
        last = self.step + 1 >= self.sampling.steps
        if wish is None or (wish.steps == "last" and not last):
            return None
        return _union(self.heads, self.aligned if last else {})

    def _chosen(self, maps: Mapping[int, torch.Tensor], layer: int, heads: Sequence[int]) -> torch.Tensor:
        order = _union(self.heads, self.aligned if self.done else {})[layer]
        return maps[layer][[order.index(head) for head in heads]]


def _union(one: Mapping[int, Sequence[int]], other: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    return {layer: sorted({*one.get(layer, ()), *other.get(layer, ())}) for layer in sorted({*one, *other})}
