"""Caption and tags of a GTSinger clip: who sings, with which technique, and what the annotators say of the clip."""

from __future__ import annotations

from training.gtsinger_records import Labels

#: The voice parts in the names of singers, and whose voices they are.
PARTS = {
    "soprano": "female",
    "mezzo": "female",
    "alto": "female",
    "tenor": "male",
    "baritone": "male",
    "bass": "male",
}
#: What the control group of every technique is called: the same song without the technique.
NATURAL = "natural"


def voice_of(singer: str) -> tuple[str, str]:
    """(gender, voice part) of a singer such as ``EN-Alto-1``; both empty where the name does not tell."""
    for piece in singer.lower().split("-"):
        if piece in PARTS:
            return PARTS[piece], piece
    return "", ""


def technique_of(group: str) -> str:
    """``Mixed_Voice_Group`` is ``mixed voice``, ``Control_Group`` is ``natural``."""
    words = [word for word in group.lower().split("_") if word and word != "group"]
    return NATURAL if words == ["control"] else " ".join(words)


def make_caption(language: str, singer: str, technique: str, labels: Labels) -> str:
    """One line of description, comma between its parts; what is not known is left out."""
    gender, part = voice_of(singer)
    parts = [
        "unaccompanied solo singing",
        f"{gender} {part} voice" if part else "",
        "natural voice without special technique" if technique == NATURAL else f"{technique} technique",
        f"{labels.method} style" if labels.method else "",
        f"{labels.emotion} mood" if labels.emotion else "",
        f"{labels.pace} pace" if labels.pace else "",
        f"{labels.range} vocal range" if labels.range else "",
        f"sung in {language}" if language else "",
        "dry studio recording of a trained singer",
    ]
    return ", ".join(part for part in parts if part)


def make_tags(language: str, singer: str, technique: str, labels: Labels) -> tuple[str, ...]:
    """The same as tags, in lower case, none twice."""
    gender, part = voice_of(singer)
    tags = [
        "a cappella",
        f"{gender} vocals" if gender else "",
        part,
        technique,
        labels.method,
        labels.emotion,
        f"{labels.pace} pace" if labels.pace else "",
        f"{labels.range} range" if labels.range else "",
        language.lower(),
        "studio recording",
    ]
    return tuple(dict.fromkeys(tag for tag in tags if tag))
