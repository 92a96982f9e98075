"""A composition folded into the transformer: ``W' = W + sum of weight * scale * up @ down``, in float32.

The pristine matrices are kept and put back as they were, never subtracted from: adding and taking away again drifts
in half precision (1.1 % of mean |W| after one cycle in bfloat16, 28 % after a hundred).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch

from adapters.base import Base
from adapters.composition import Composition
from adapters.weights import AdapterWeights

#: What is folded in of each adapter: its name, its weight, and the revision of its files.
_Folded = list[tuple[str, float, object]]
_BASE: _Folded = []


class Shelf(Protocol):
    """Where adapters are looked up; ``adapters.store.AdapterStore`` is one."""

    def names(self) -> list[str]:
        """The adapters there are."""

    def load(self, name: str, base: Base) -> AdapterWeights:
        """One adapter's weights, checked against the base."""

    def revision(self, name: str) -> object:
        """Something that is another once the adapter's files are others."""


class Folding:
    """Folds one composition at a time into a transformer whose weights were untouched when this was made."""

    def __init__(self, transformer: Any) -> None:
        self.base = Base.of(transformer)
        self._modules = dict(transformer.named_modules())
        self._pristine: dict[str, torch.Tensor] = {}
        self._folded = _BASE

    def fold(self, composition: Composition, shelf: Shelf | None) -> None:
        """Make the transformer sing with a composition; nothing is done where it already does.

        Raises:
            AdapterError: an adapter does not exist or does not fit; the transformer then is the base.
        """
        if not composition:
            self.restore()
            return
        assert shelf is not None, "a composition without a shelf is refused with the request"
        try:
            # before loading: files replaced meanwhile are then read again by the next song
            wanted = [(name, weight, shelf.revision(name)) for name, weight in sorted(composition.items())]
            if wanted == self._folded:
                return
            self.restore()
            loaded = [(weight, shelf.load(name, self.base)) for name, weight in composition.items()]
            for name, change in summed(loaded).items():
                weight = self._modules[name].weight
                self._pristine[name] = weight.data
                weight.data = (weight.data.float() + change.to(weight.device)).to(weight.dtype)
        except BaseException:  # out of memory in the middle, or Ctrl-C: half a composition must not sing
            self.restore()
            raise
        self._folded = wanted

    def restore(self) -> None:
        """Put the pristine matrices back, bit for bit."""
        for name, weight in self._pristine.items():
            self._modules[name].weight.data = weight
        self._pristine.clear()
        self._folded = _BASE


def summed(parts: Iterable[tuple[float, AdapterWeights]]) -> Mapping[str, torch.Tensor]:
    """The change of each layer, [out, in] float32, of weighted adapters together."""
    out: dict[str, torch.Tensor] = {}
    for weight, adapter in parts:
        for name, layer in adapter.items():
            change = weight * layer.delta(torch.float32)
            out[name] = out[name] + change if name in out else change
    return out
