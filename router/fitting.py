"""A router's file from examples and what validation chose, and back from the file to what a policy is solved from.

Knows neither prompts that are asked about nor decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from router.errors import RouterError
from router.evidence import VoteRows
from router.examples import Examples, Targets, find_default, pair
from router.features import Features, Featuriser
from router.findings import Findings
from router.lyric_statistics import NAMES
from router.policies import POLICIES, Policy
from router.router_file import (
    FittedPrompt,
    PolicyPart,
    RouterFile,
    Source,
    Training,
    VotesPart,
    halve,
    name_lines,
    name_lyrics,
)
from router.sentences import SentenceModel


class Validated(Protocol):
    """What validation chose and found, see :class:`router.validation.Validation`. ``findings`` names the policy, whose
    ``settings`` were found with all examples; without a ``signal`` the default is always taken. ``mixing``: temperature
    of blends, None where nothing is mixed."""

    @property
    def findings(self) -> Findings: ...
    @property
    def signal(self) -> bool: ...
    @property
    def low(self) -> NDArray[np.float64]: ...
    @property
    def high(self) -> NDArray[np.float64]: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def mixing(self) -> float | None: ...


@dataclass(frozen=True, eq=False)
class Evidence:
    """People's picks, and the weight of each, above 0."""

    rows: VoteRows
    weight: float


def fit_file(
    examples: Examples,
    features: Features,
    sentences: SentenceModel,
    validated: Validated,
    *,
    confidence: float,
    about: Mapping[str, Any],
    evidence: Evidence | None = None,
) -> RouterFile:
    """All that the policy that was chosen is solved from: all examples, and the settings it was validated with.

    Args:
        examples: of the compositions that may be chosen, so without controls.
        features: of ``examples``.
        confidence: chance of a gain from which the default is left.
        about: what the table says of itself, see ``eval.table``.
        evidence: rows over the compositions of ``examples``, against its default.
    """
    default = find_default(examples)
    targets = pair(examples, default)
    features = _as_kept(features)
    if evidence is not None:
        features, targets = _add_votes(features, targets, evidence.rows, sentences)
    return RouterFile(
        version=1,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        model=Source(name=Path(str(about.get("model", ""))).name, fingerprint=str(about.get("model_fingerprint", ""))),
        adapters={str(adapter): str(mark) for adapter, mark in dict(about.get("adapters", {})).items()},
        sentences=Source(name=sentences.name, fingerprint=sentences.fingerprint),
        judge=examples.judge,
        policy=PolicyPart(name=validated.findings.policy, settings=validated.settings),
        default=examples.compositions[default],
        confidence=confidence,
        compositions=examples.compositions,
        signal=validated.signal,
        mixing=validated.mixing,
        prompts=_list_prompts(examples, targets),
        training=Training(
            sentences=halve(features.sentences),
            lyric_names=NAMES,
            lyrics=features.lyrics.tolist(),
            gains=_known(targets.gains),
            noise=_known(targets.noise),
            low=validated.low.tolist(),
            high=validated.high.tolist(),
        ),
        votes=None if evidence is None else _tell_votes(evidence),
        findings=validated.findings,
    )


def read_training(file: RouterFile) -> tuple[Features, Targets]:
    """What the file's policy is solved from: rows of prompts, then of votes.

    Raises:
        RouterError: the lyrics were measured in another way than this version does.
    """
    training = file.training
    if training.lyric_names != NAMES:
        odd = ", ".join(sorted(set(training.lyric_names) ^ set(NAMES))) or "their order"
        raise RouterError(
            f"the router was fitted with other figures of lyrics ({odd[:120]}) than this version of Choirmaster takes: "
            "fit again"
        )
    votes = len(training.gains) - len(file.prompts)
    gains, noise = (np.array(grid, dtype=np.float64) for grid in (training.gains, training.noise))
    level = np.array([*(prompt.level for prompt in file.prompts), *[np.nan] * votes])
    features = Features(training.sentences.array(), np.array(training.lyrics, dtype=np.float64))
    groups = (*(prompt.genre for prompt in file.prompts), *_name_votes(votes))
    return features, Targets(gains, noise, level, file.compositions.index(file.default), groups)


def solve(file: RouterFile, features: Features, targets: Targets) -> Policy:
    """The file's policy, fitted with its settings and so without a search.

    Raises:
        RouterError: there is no such policy, or its settings are damaged.
    """
    part = file.policy
    if part.name not in POLICIES:
        raise RouterError(f"no policy is called {part.name[:40]!r}: choose from {', '.join(POLICIES)}, and fit again")
    try:
        return POLICIES[part.name].with_settings(part.settings).fit(features, targets)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:  # whatever hands have made of the settings
        raise RouterError(
            f"the settings {str(part.settings)[:80]} of the policy {part.name} are damaged ({error!r:.80}): fit again"
        ) from error


def _as_kept(features: Features) -> Features:
    """In the precision of the file, so that a router just made answers like one that was read."""
    return Features(features.sentences.astype("<f2").astype(np.float32), features.lyrics)


def _add_votes(
    features: Features, targets: Targets, rows: VoteRows, sentences: SentenceModel
) -> tuple[Features, Targets]:
    """Rows of votes below those of prompts; what the default's WER is, a vote does not tell."""
    count = len(rows.texts)
    if not count:
        return features, targets
    heard = _as_kept(Featuriser(sentences).describe(rows.texts))
    return (
        Features(
            np.concatenate([features.sentences, heard.sentences]), np.concatenate([features.lyrics, heard.lyrics])
        ),
        Targets(
            np.concatenate([targets.gains, rows.gains]),
            np.concatenate([targets.noise, rows.noise]),
            np.concatenate([targets.level, np.full(count, np.nan)]),
            targets.default,
            (*targets.groups, *_name_votes(count)),
        ),
    )


def _name_votes(count: int) -> tuple[str, ...]:
    """Each is a group by itself; no genre has such a name."""
    return tuple(f"vote {v}\n" for v in range(count))


def _tell_votes(evidence: Evidence) -> VotesPart:
    rows = evidence.rows
    return VotesPart(weight=evidence.weight, used=len(rows.texts), skipped=dict(rows.skipped))


def _list_prompts(examples: Examples, targets: Targets) -> tuple[FittedPrompt, ...]:
    rates, songs = examples.rates, examples.present.sum(-1)
    return tuple(
        FittedPrompt(
            id=name,
            genre=examples.genres[p],
            caption=examples.texts[p].caption,
            tags=examples.texts[p].tags,
            lyrics=name_lyrics(examples.texts[p].lyrics),
            songs=int(songs[p]),
            wer=rates[:, p].tolist(),
            level=float(targets.level[p]),
            lines=name_lines(examples.texts[p].lyrics),
        )
        for p, name in enumerate(examples.prompts)
    )


def _known(grid: NDArray[np.float64]) -> list[list[float | None]]:
    """NaN as null."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in grid]
