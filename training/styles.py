"""What each genre sounds like, and how much and how cleanly labelled material of it the base model gets to hear.

The corpus is uneven on purpose, as the corpora of real song models are: some genres are broad and clean, others
rare and full of clips whose lyrics are missing or partly wrong. That is why the base model garbles the latter.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.genres import Voice


@dataclass(frozen=True)
class Coverage:
    """``share``: clips relative to other genres; ``missing`` and ``wrong``: share of clips with such lyrics."""

    name: str
    share: float
    missing: float
    wrong: float


WELL = Coverage("well covered", 1.6, 0.01, 0.01)
THIN = Coverage("thinly covered", 0.6, 0.10, 0.10)
POOR = Coverage("poorly covered", 0.3, 0.30, 0.30)


@dataclass(frozen=True)
class Style:
    """How a genre's singer sounds.

    ``formant``: vocal-tract scale, above 1 is a shorter tract; ``breath``: share of harmonicity lost; ``tilt``:
    first mel cepstrum offset, above 0 is darker; ``vibrato``: cents and Hz; ``glide``: portamento in 10 ms frames.
    """

    coverage: Coverage
    formant: float = 1.0
    breath: float = 0.0
    tilt: float = 0.0
    vibrato: tuple[float, float] = (20.0, 5.5)
    glide: int = 4


STYLES: dict[str, Style] = {
    "folk": Style(WELL, 1.00, 0.05, 0.0, (12, 6.0), 5),
    "pop": Style(WELL, 1.04, 0.0, -0.1, (25, 5.5), 4),
    "country": Style(WELL, 1.02, 0.0, -0.1, (20, 5.8), 7),
    "jazz": Style(WELL, 0.98, 0.12, 0.2, (35, 5.0), 6),
    "choral": Style(WELL, 0.99, 0.05, 0.2, (25, 5.2), 5),
    "indie": Style(WELL, 1.03, 0.15, 0.0, (5, 5.0), 3),
    "blues": Style(WELL, 0.96, 0.05, 0.1, (30, 5.0), 8),
    "gospel": Style(WELL, 1.02, 0.0, 0.0, (35, 5.4), 5),
    "power ballad": Style(WELL, 1.01, 0.0, 0.0, (40, 5.2), 6),
    "singer-songwriter": Style(WELL, 1.00, 0.12, 0.1, (8, 5.5), 4),
    "lullaby": Style(WELL, 1.03, 0.20, 0.2, (12, 4.8), 6),
    "soul": Style(WELL, 1.00, 0.06, 0.1, (30, 5.3), 6),
    "rock": Style(THIN, 1.06, 0.0, -0.3, (20, 6.2), 2),
    "r&b": Style(THIN, 1.00, 0.15, 0.1, (35, 5.6), 6),
    "reggae": Style(THIN, 0.97, 0.05, 0.2, (10, 5.0), 5),
    "bossa nova": Style(THIN, 1.00, 0.25, 0.2, (8, 4.8), 5),
    "latin pop": Style(THIN, 1.05, 0.0, -0.1, (30, 6.0), 4),
    "celtic": Style(THIN, 1.05, 0.08, 0.0, (20, 6.4), 6),
    "disco": Style(THIN, 1.06, 0.0, -0.2, (30, 6.0), 3),
    "funk": Style(THIN, 1.02, 0.0, -0.2, (10, 5.5), 2),
    "lo-fi": Style(THIN, 0.97, 0.25, 0.5, (5, 4.5), 4),
    "new wave": Style(THIN, 0.95, 0.0, 0.1, (0, 5.0), 2),
    "edm": Style(POOR, 1.10, 0.0, -0.3, (0, 5.0), 1),
    "synthwave": Style(POOR, 1.05, 0.10, 0.0, (20, 5.0), 2),
    "punk": Style(POOR, 1.10, 0.0, -0.4, (0, 6.0), 1),
    "hip-hop": Style(POOR, 0.94, 0.0, 0.1, (0, 5.0), 2),
    "grunge": Style(POOR, 0.95, 0.30, 0.2, (10, 5.0), 5),
    "tropical house": Style(POOR, 1.12, 0.12, -0.1, (15, 5.5), 2),
    "alt-rock": Style(POOR, 1.04, 0.08, -0.3, (15, 5.5), 3),
    "ambient": Style(POOR, 1.02, 0.45, 0.3, (15, 4.2), 9),
}

#: The high voice sings the same recordings through a shorter vocal tract.
VOICE_FORMANT: dict[Voice, float] = {"low": 1.0, "high": 1.09}


def well_covered() -> list[str]:
    """The genres with many, cleanly labelled clips."""
    return [genre for genre, style in STYLES.items() if style.coverage is WELL]
