"""What the page may weigh: sounds and pictures are embedded as long as there is room.

Knows bytes, not what they are worth to the reader.
"""

from __future__ import annotations

import base64


class Budget:
    """``megabytes`` of data URIs that can be spent."""

    def __init__(self, megabytes: float) -> None:
        self.left = int(megabytes * 1e6)

    def embed(self, content: bytes, kind: str) -> str:
        """``content`` as a data URI of the media type ``kind``; empty where there is no room left for it."""
        uri = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        if len(uri) > self.left:
            return ""
        self.left -= len(uri)
        return uri
