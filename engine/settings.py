"""How much an engine takes on at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineSettings:
    """Limits of one engine.

    ``token_budget`` bounds one forward pass, in latent frames times rows with padding counted; one song always fits,
    whatever its length. ``most_padding``: share of a pass that may be padding; more of it makes larger batches, which
    pays where rows cost little, as on a GPU. ``song_timeout`` bounds a song's preparation, and again all that follows
    from when it joins the others until it is stored.
    """

    # waiting
    max_queue: int = 256
    prepared_ahead: int = 4
    # singing
    max_songs: int = 16
    token_budget: int = 24_000
    most_padding: float = 0.2
    song_timeout: float = 600.0
    # decoding: songs at once, by default what suits the model's codec
    decoders: int | None = None
    # memory for folded weights, bytes
    folded_bytes: int = 2 << 30
