"""Sentences to vectors of unit length, each text read once.

Knows text; nothing of prompts or adapters, nor where a model comes from. The usual one is all-MiniLM-L6-v2 (22.7 M
parameters, width 384; Wang et al. 2020, "MiniLM"; Reimers and Gurevych 2019, "Sentence-BERT").
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from router.encoders import Encoder, open_encoder
from router.sentence_files import DEFAULT, find_sentence_model

#: Texts whose vectors are kept.
KEPT = 4096


class SentenceModel(Protocol):
    """Whoever turns texts into vectors."""

    @property
    def name(self) -> str:
        """As it was asked for: a name of the hub, or a folder."""
        ...

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with weights, tokenizer or settings."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, width] vectors of unit length, or of zeros for a text without anything but spaces."""
        ...


class KeepingModel:
    """A sentence model that remembers the vectors of the last ``kept`` different texts; any thread may ask it.

    ``encoder`` turns n texts, none of them blank, into [n, ``width``]; they are brought to unit length here.
    """

    def __init__(self, name: str, fingerprint: str, width: int, encoder: Encoder, kept: int = KEPT) -> None:
        self.name, self.fingerprint, self.width = name, fingerprint, width
        self._encoder, self._limit = encoder, kept
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, width] vectors of unit length, or of zeros for a text without anything but spaces.

        The model leaves out what is longer than it reads (MiniLM: 256 word pieces, some 200 words).
        """
        # A lone half of a surrogate pair is no text, and tokenizers raise on one.
        clean = [text.strip().encode("utf-8", "replace").decode() for text in texts]
        vectors = np.zeros((len(clean), self.width), np.float32)
        with self._lock:
            found = {text: self._kept[text] for text in clean if text in self._kept}
            if missing := [text for text in dict.fromkeys(clean) if text and text not in found]:
                found |= zip(missing, self._encode_units(missing), strict=True)
            for text in found:  # the ones just asked for go last
                self._kept[text] = found[text]
                self._kept.move_to_end(text)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        for row, text in enumerate(clean):
            if text:
                vectors[row] = found[text]
        return vectors

    def _encode_units(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.asarray(self._encoder(texts), np.float32)
        lengths = np.sqrt(np.square(vectors).sum(1, keepdims=True))
        units: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
        return units


def load_sentence_model(name: str = DEFAULT) -> SentenceModel:
    """The sentence model ``name``: a folder, "all-MiniLM-L6-v2" from its offline package, or what the hub knows by it.

    No pickle is read. Takes half a second; the first time ever, 10 s (see ``router.encoders``).

    Raises:
        RouterError: none of these can be had, or it is damaged or no sentence model; says what to do.
    """
    folder, fingerprint = find_sentence_model(name)
    return KeepingModel(name, fingerprint, *open_encoder(folder, fingerprint))
