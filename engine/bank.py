"""The adapter bank: adapters in memory, and linear layers as any composition of them wants them.

Adapters are read from a shelf when a song first wants them and kept while there is room. Whoever holds one keeps it,
whatever happens to the shelf meanwhile. The transformer's own weights are only ever read. Knows nothing of songs.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.nn import functional

from adapters.base import Base
from adapters.composition import Composition
from adapters.weights import AdapterWeights, LowRank

#: Adapters kept in memory although no song uses them, and the bytes they may take; the latest is always kept.
KEPT_ADAPTERS, KEPT_BYTES = 32, 2 << 30
log = logging.getLogger(__name__)

#: What never changes from step to step is computed when a song is prepared, and by no forward pass.
_PREPARED = ("condition_embedder", ".cross_attn.to_k", ".cross_attn.to_v")


class Shelf(Protocol):
    """Where adapters are looked up; ``adapters.store.AdapterStore`` is one."""

    def names(self) -> list[str]:
        """The adapters there are."""

    def load(self, name: str, base: Base) -> AdapterWeights:
        """One adapter's weights, checked against the base."""

    def revision(self, name: str) -> object:
        """Something that is another once the adapter's files are others."""


@dataclass(frozen=True, eq=False)
class Change:
    """What an adapter does to one linear layer, in the model's type and on its device, with alpha / rank folded in.

    Either ``down`` [rank, in] and ``up`` [out, rank], or, where that would be no saving (LoKr above all), the change
    itself as ``dense`` [out, in].
    """

    down: torch.Tensor | None = None
    up: torch.Tensor | None = None
    dense: torch.Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its matrices."""
        return sum(matrix.nbytes for matrix in (self.down, self.up, self.dense) if matrix is not None)

    def delta(self) -> torch.Tensor:
        """The change of the weight matrix, [out, in] float32."""
        if self.dense is not None:
            return self.dense.float()
        assert self.up is not None and self.down is not None
        return self.up.float() @ self.down.float()

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The change of the layer's output for inputs [..., in]."""
        if self.dense is not None:
            return functional.linear(x, self.dense)
        assert self.up is not None and self.down is not None
        return functional.linear(functional.linear(x, self.down), self.up)


@dataclass(frozen=True, eq=False)
class LoadedAdapter:
    """One adapter in memory; two are the same only where they are the same object."""

    name: str
    fingerprint: str
    changes: Mapping[str, Change]

    @property
    def nbytes(self) -> int:
        """Bytes of all its matrices."""
        return sum(change.nbytes for change in self.changes.values())


#: Adapters with their weights, in order of their names; none is the base model.
Voices = tuple[tuple[LoadedAdapter, float], ...]


class AdapterBank:
    """Adapters of one transformer, looked up on one shelf. May be used from several threads."""

    def __init__(self, transformer: Any, shelf: Shelf | None = None) -> None:
        self.base = Base.of(transformer)
        self.shelf = shelf
        self.modules: dict[str, torch.nn.Linear] = {
            name: module for name, module in transformer.named_modules() if isinstance(module, torch.nn.Linear)
        }
        self._kept: OrderedDict[str, tuple[object, LoadedAdapter]] = OrderedDict()
        self._lock = threading.Lock()

    def voices(self, composition: Composition) -> Voices:
        """The adapters of a composition with their weights, read from the shelf where they are not in memory.

        Raises:
            AdapterError: an adapter does not exist, is damaged, or was made for another model.
        """
        return tuple((self._adapter(name), weight) for name, weight in sorted(composition.items()) if weight)

    def linear(self, name: str, x: torch.Tensor, voices: Voices) -> torch.Tensor:
        """The output of a linear layer under one composition, of inputs [..., in]."""
        module = self.modules[name]
        y = functional.linear(x, module.weight, module.bias)
        for adapter, weight in voices:
            change = adapter.changes.get(name)
            if change is not None:
                y = y + weight * change.apply(x)
        return y

    def prune(self) -> set[LoadedAdapter]:
        """Drop adapters that are no longer on the shelf; those still kept for songs to come."""
        with self._lock:
            if self._kept and self.shelf is not None:
                try:
                    there = set(self.shelf.names())
                except OSError as error:  # too many open files, for example: what is there is known another time
                    log.warning("the shelf of adapters cannot be looked at: %s", error)
                    there = set(self._kept)
                for gone in [name for name in self._kept if name not in there]:
                    del self._kept[gone]
            return {adapter for _, adapter in self._kept.values()}

    def _adapter(self, name: str) -> LoadedAdapter:
        assert self.shelf is not None, "a composition without a shelf is refused with the request"
        # Asked before loading: files that are replaced meanwhile are then read again by the next song.
        revision = self.shelf.revision(name)
        with self._lock:
            known = self._kept.get(name)
            if known is not None and known[0] == revision:
                self._kept.move_to_end(name)
                return known[1]
        weights = self.shelf.load(name, self.base)
        loaded = LoadedAdapter(name, fingerprint(weights), {n: self._change(n, layer) for n, layer in weights.items()})
        with self._lock:
            self._kept[name] = (revision, loaded)
            while len(self._kept) > KEPT_ADAPTERS or (
                len(self._kept) > 1 and sum(adapter.nbytes for _, adapter in self._kept.values()) > KEPT_BYTES
            ):
                self._kept.popitem(last=False)
        return loaded

    def _change(self, name: str, layer: LowRank) -> Change:
        like = self.modules[name].weight
        out, inner = layer.shape
        if layer.rank * (out + inner) >= out * inner:
            return Change(dense=layer.delta(torch.float32).to(like))
        return Change(down=layer.down.to(like), up=(layer.up.float() * layer.scale).to(like))


def in_forward(name: str) -> bool:
    """Whether a linear layer is computed in every forward pass, and not once per song."""
    return not name.endswith(_PREPARED)


def summed(name: str, voices: Voices) -> torch.Tensor | None:
    """The change of one layer under a composition, [out, in] float32; None where no adapter touches it."""
    found = [weight * adapter.changes[name].delta() for adapter, weight in voices if name in adapter.changes]
    return torch.stack(found).sum(0) if len(found) > 1 else (found[0] if found else None)


def touched(voices: Sequence[LoadedAdapter]) -> list[str]:
    """Layers of the forward pass that some adapter changes, in order."""
    return sorted({name for adapter in voices for name in adapter.changes if in_forward(name)})


def fingerprint(weights: AdapterWeights) -> str:
    """16 hex digits of an adapter's weights, the same in whatever format they are stored."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        layer = weights[name]
        digest.update(f"{name} {layer.scale:.9g} ".encode())
        for tensor in (layer.down, layer.up):
            digest.update(f"{tuple(tensor.shape)} ".encode())
            digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
