"""Compositions in one forward pass: every row of a batch sings with adapters of its own.

Where all rows agree, the change is folded, ``W' = W + sum of weight * scale * up @ down`` in float32; else the
adapters' matrices are stacked and ``y = x W^T + ((x down^T) * w) up^T`` with a weight per row and column. While a pass
runs, the layers concerned compute by other means; no weight of the transformer is ever written.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn import functional

from engine.bank import AdapterBank, LoadedAdapter, Voices, summed, touched
from engine.failures import is_out_of_memory

log = logging.getLogger(__name__)

Forward = Callable[[torch.Tensor], torch.Tensor]
#: Stacks kept of sets of adapters that sang together lately.
KEPT_STACKS = 4
#: Layers that are given the same input, one product for which serves all of them.
_TOGETHER = (("self_attn.to_q", "self_attn.to_k", "self_attn.to_v"), ("mlp.gate_proj", "mlp.up_proj"))


@dataclass(frozen=True, eq=False)
class _Part:
    """One layer in a stack: its columns of the shared product, ``up`` [rank, out], and changes kept whole."""

    columns: slice
    up: torch.Tensor | None
    dense: tuple[tuple[int, torch.Tensor], ...]


@dataclass(frozen=True, eq=False)
class _Stack:
    """Adapters side by side. ``downs``: shared product [rank, in] by group; ``owners``: adapter of its every column."""

    adapters: tuple[LoadedAdapter, ...]
    groups: dict[str, str]
    downs: dict[str, torch.Tensor]
    owners: dict[str, torch.Tensor]
    parts: dict[str, _Part]


class Mixer:
    """Makes a transformer's layers sing with one composition per row, for the length of one pass at a time."""

    def __init__(self, bank: AdapterBank, folded_bytes: int = 2 << 30) -> None:
        self.bank, self.folded_bytes = bank, folded_bytes
        self._stacks: OrderedDict[tuple[LoadedAdapter, ...], _Stack] = OrderedDict()
        self._folds: OrderedDict[Voices, dict[str, torch.Tensor]] = OrderedDict()
        self._lock = threading.Lock()  # of what is kept; never held while something is computed

    @contextmanager
    def applied(self, rows: Sequence[Voices], fold: bool = True) -> Iterator[None]:
        """While open, row i of every batch sings with ``rows[i]``; a layer given fewer rows was given the first ones.

        ``fold=False`` stacks even where all rows agree.
        """
        forwards = self._forwards(rows, fold)
        try:
            for name, forward in forwards.items():
                self.bank.modules[name].__dict__["forward"] = forward  # found before the class's own
            yield
        finally:
            for name in forwards:
                self.bank.modules[name].__dict__.pop("forward", None)

    def prune(self, kept: set[LoadedAdapter]) -> None:
        """Drop what was made of other adapters than these; songs that still hold them have it made anew."""
        with self._lock:
            for adapters in [adapters for adapters in self._stacks if not kept.issuperset(adapters)]:
                del self._stacks[adapters]
            for voices in [voices for voices in self._folds if not kept.issuperset(adapter for adapter, _ in voices)]:
                del self._folds[voices]

    def _forwards(self, rows: Sequence[Voices], fold: bool) -> dict[str, Forward]:
        if not any(rows):
            return {}
        if fold and all(row == rows[0] for row in rows):
            try:
                return {name: _folded(self.bank, name, weight) for name, weight in self.fold(rows[0]).items()}
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                log.warning("there is no memory to fold a composition, which is stacked instead: %s", error)
        return _Pass(self.bank, self._stack({adapter for row in rows for adapter, _ in row}), rows).forwards()

    def anticipate(self, rows: Sequence[Voices]) -> None:
        """Make what a pass of such rows will want, before it does."""
        if not any(rows):
            return
        if all(row == rows[0] for row in rows):
            self.fold(rows[0])
        else:
            self._stack({adapter for row in rows for adapter, _ in row})

    @torch.no_grad()
    def fold(self, voices: Voices) -> dict[str, torch.Tensor]:
        """Whole weights of a composition by layer, kept for passes to come."""
        with self._lock:
            if voices in self._folds:
                self._folds.move_to_end(voices)
                return self._folds[voices]
        folded = {}
        for name in touched([adapter for adapter, _ in voices]):
            weight, change = self.bank.modules[name].weight, summed(name, voices)
            assert change is not None
            folded[name] = change.add_(weight.float()).to(weight.dtype)
        with self._lock:
            self._folds[voices] = folded
            while len(self._folds) > 1 and sum(map(_size, self._folds.values())) > self.folded_bytes:
                self._folds.popitem(last=False)
        return folded

    def _stack(self, wanted: set[LoadedAdapter]) -> _Stack:
        """A stack of these adapters. One that holds a few more serves too: songs leave, and others of them come."""
        with self._lock:
            serving = [kept for kept in self._stacks if wanted <= set(kept) and len(kept) <= 2 * len(wanted)]
            if serving:
                adapters = min(serving, key=len)
                self._stacks.move_to_end(adapters)
                return self._stacks[adapters]
        adapters = tuple(sorted(wanted, key=lambda adapter: (adapter.name, id(adapter))))
        stack = _build(adapters, next(iter(self.bank.modules.values())).weight.device)
        with self._lock:
            self._stacks[adapters] = stack
            while len(self._stacks) > KEPT_STACKS:
                self._stacks.popitem(last=False)
        return stack


class _Pass:
    """One forward pass over a stack; remembers the shared product of the layers that have the same input."""

    def __init__(self, bank: AdapterBank, stack: _Stack, rows: Sequence[Voices]) -> None:
        self.bank, self.stack = bank, stack
        place = {adapter: number for number, adapter in enumerate(stack.adapters)}
        self.weights = torch.zeros(len(rows), len(place))  # [rows, adapters]
        for number, row in enumerate(rows):
            for adapter, weight in row:
                self.weights[number, place[adapter]] += weight
        like = next(iter(bank.modules.values())).weight
        self._there = self.weights.to(like)  # one copy to the device for the whole pass
        self._columns: dict[str, torch.Tensor] = {}
        self._input: torch.Tensor | None = None
        self._group = ""
        self._product: torch.Tensor | None = None

    def forwards(self) -> dict[str, Forward]:
        return {name: self._forward(name) for name in self.stack.parts}

    def _forward(self, name: str) -> Forward:
        module, part, group = self.bank.modules[name], self.stack.parts[name], self.stack.groups[name]

        def forward(x: torch.Tensor) -> torch.Tensor:
            y = functional.linear(x, module.weight, module.bias)
            if part.up is not None:
                if self._input is not x or self._group != group:
                    self._input, self._group, self._product = x, group, self._weighted(group, x)
                assert self._product is not None
                y.view(-1, y.shape[-1]).addmm_(self._product[:, part.columns], part.up)
            for adapter, change in part.dense:
                self._add_dense(x, y, adapter, change)
            return y

        return forward

    def _weighted(self, group: str, x: torch.Tensor) -> torch.Tensor:
        """``(x down^T) * w`` of all columns of a group, [rows * frames, columns]."""
        product = functional.linear(x, self.stack.downs[group])
        if group not in self._columns:
            self._columns[group] = self._there[:, self.stack.owners[group]]
        weights = self._columns[group][: len(x)]  # [rows, columns]
        product *= weights if x.ndim == 2 else weights[:, None]
        return product.view(-1, product.shape[-1])

    def _add_dense(self, x: torch.Tensor, y: torch.Tensor, adapter: int, change: torch.Tensor) -> None:
        weights = self.weights[: len(x), adapter]
        for row in weights.nonzero().flatten().tolist():
            y[row] += float(weights[row]) * functional.linear(x[row], change)


def _folded(bank: AdapterBank, name: str, weight: torch.Tensor) -> Forward:
    bias = bank.modules[name].bias
    return lambda x: functional.linear(x, weight, bias)


def _size(weights: dict[str, torch.Tensor]) -> int:
    return sum(weight.nbytes for weight in weights.values())


def _group(name: str) -> str:
    """The layers that share their input go by the first of them."""
    for together in _TOGETHER:
        for end in together:
            if name.endswith(end):
                return name.removesuffix(end) + together[0]
    return name


def _build(adapters: tuple[LoadedAdapter, ...], device: torch.device) -> _Stack:
    groups: dict[str, str] = {}
    downs: dict[str, list[torch.Tensor]] = {}
    owners: dict[str, list[int]] = {}
    parts: dict[str, _Part] = {}
    for name in touched(adapters):
        group = groups[name] = _group(name)
        found, owned = downs.setdefault(group, []), owners.setdefault(group, [])
        start, ups, dense = len(owned), [], []
        for number, adapter in enumerate(adapters):
            change = adapter.changes.get(name)
            if change is None:
                continue
            if change.dense is not None:
                dense.append((number, change.dense))
            elif change.down is not None and change.up is not None:
                found.append(change.down)
                owned.extend([number] * len(change.down))
                ups.append(change.up.T)
        up = torch.cat(ups).contiguous() if ups else None
        parts[name] = _Part(slice(start, len(owned)), up, tuple(dense))
    return _Stack(
        adapters,
        groups,
        {group: torch.cat(found) for group, found in downs.items() if found},
        {group: torch.tensor(owned, device=device) for group, owned in owners.items()},
        parts,
    )
