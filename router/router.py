"""The router: asked with a prompt, it answers which composition to sing it with, how sure that is, and why.

Made by :meth:`Router.fit` or read from a file; either way the policy is solved from what the file holds, so that both
give the same answers. Knows no song model and no shelf: it is told what stands there, and refuses what it was not
fitted for. Any thread may ask.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router import reasons
from router.blends import make_mixer
from router.deciding import Outlook, Setting, decide, find_faults
from router.decision import Decision, Neighbour
from router.errors import RouterError
from router.examples import Examples
from router.features import Features, Featuriser
from router.findings import Findings
from router.fitting import Evidence, Validated, fit_file, read_training, solve
from router.ground import LONELY, survey
from router.policies import Prediction
from router.prompt import RouterPrompt
from router.router_file import RouterFile, read_router_file, write_router_file
from router.sentences import SentenceModel, load_sentence_model

#: Measured prompts that a decision names.
NEAREST = 5


class Router:
    """A solved router. ``file`` holds all that it is made of."""

    def __init__(self, file: RouterFile, sentences: SentenceModel | None = None) -> None:
        """Solve what a file holds. Without ``sentences`` the model it names is loaded when the first prompt comes.

        Raises:
            RouterError: another sentence model is given, or the file was made by another version of Choirmaster.
        """
        self.file = file
        self._lock = threading.Lock()
        self._featuriser = None if sentences is None else Featuriser(self._checked(sentences))
        self._features, self._targets = read_training(file)
        self._policy = solve(file, self._features, self._targets)
        self._ground = survey(self._features.sentences[: len(file.prompts)], [prompt.genre for prompt in file.prompts])
        self._ranges = np.array([file.training.low, file.training.high])  # [2, C]
        self._usual_lyrics = self._features.lyrics[: len(file.prompts)].mean(0)
        self._mixer = None if file.mixing is None else make_mixer(file.compositions, file.mixing)

    @classmethod
    def fit(
        cls,
        examples: Examples,
        features: Features,
        sentences: SentenceModel,
        validated: Validated,
        *,
        confidence: float,
        about: Mapping[str, Any],
        evidence: Evidence | None = None,
    ) -> Router:
        """Fit to all examples what validation chose; arguments as in :func:`router.fitting.fit_file`."""
        file = fit_file(examples, features, sentences, validated, confidence=confidence, about=about, evidence=evidence)
        return cls(file, sentences)

    @classmethod
    def load(cls, path: Path, sentences: SentenceModel | None = None) -> Router:
        """The router in a file; see :meth:`__init__`.

        Raises:
            RouterError: there is none, it is damaged or of another version, or was fitted with other sentences.
        """
        return cls(read_router_file(path), sentences)

    def save(self, path: Path) -> None:
        """Write it, all or nothing.

        Raises:
            RouterError: it cannot be written there.
        """
        write_router_file(path, self.file)

    @property
    def findings(self) -> Findings:
        """What fitting it found."""
        return self.file.findings

    def check(self, model_fingerprint: str) -> None:
        """See that a song model is the one whose songs were measured.

        Raises:
            RouterError: it is another one.
        """
        fitted = self.file.model
        if fitted.fingerprint != model_fingerprint:
            raise RouterError(
                f"the router was fitted to songs of the model {fitted.name or 'of no name'} with fingerprint "
                f"{fitted.fingerprint or 'unknown'}, this one has {model_fingerprint or 'none'}: measure this "
                "model with `choirmaster eval` and fit again, or sing by the other"
            )

    def warm(self) -> None:
        """Load the sentence model, if that is still to be done.

        Raises:
            RouterError: it cannot be had, or has changed since fitting.
        """
        self._describe(RouterPrompt(caption="a song"))

    def route(
        self,
        prompt: RouterPrompt,
        shelf: Mapping[str, str] | None = None,
        only: Collection[str] | None = None,
    ) -> Decision:
        """Decide on one prompt.

        Args:
            shelf: fingerprint of every adapter that is there now, by name; None leaves it open.
            only: names of compositions to choose from; None is all, and their mixes where fitting found them better.

        Raises:
            RouterError: the sentence model cannot be had or is another one, or no composition can be sung.
        """
        file = self.file
        faults = find_faults(file.compositions, file.adapters, shelf, only)
        features = self._describe(prompt)
        said, worded = bool(features.sentences.any()), not prompt.instrumental
        distance, share, near = self._look_around(features.sentences[0]) if said else (1.0, 0.0, ())
        known = not said or share > LONELY
        # Vectors of zeros stand for the mean caption: of foreign ground, where it lies says nothing.
        sentences = features.sentences if known else np.zeros_like(features.sentences)
        lyrics = features.lyrics if worded else self._usual_lyrics[None]
        notes = list(reasons.note_prompt(prompt))
        if file.votes is not None and file.votes.used:
            notes.append(reasons.note_votes(file.votes.used, file.votes.weight))
        setting = Setting(
            given=said or worded,
            known=known,
            signal=file.signal,
            prompts=len(file.prompts),
            policy=file.policy.name,
            distance=distance,
            known_share=share,
            neighbours=near,
            notes=tuple(notes),
        )
        outlook = self._foresee(self._policy.predict(Features(sentences, lyrics)), only is None)
        return decide(outlook, prompt, setting, faults)

    def _foresee(self, gains: Prediction, mixed: bool) -> Outlook:
        wer = gains.wer[0]
        low, high = np.clip(wer + self._ranges, 0, 1)
        default = self._targets.default
        mixer = self._mixer if mixed else None
        return Outlook(self.file.compositions, default, wer, low, high, gains, self.file.confidence, mixer)

    def _look_around(self, vector: NDArray[np.float32]) -> tuple[float, float, tuple[Neighbour, ...]]:
        """Distance to the nearest measured prompt, share of them that are lonelier, and the nearest ones."""
        distances = self._ground.measure(vector)
        nearest = np.argsort(distances, kind="stable")[:NEAREST]
        distance = float(distances[nearest[0]])
        return distance, self._ground.known_share(distance), tuple(self._tell(int(p), distances) for p in nearest)

    def _tell(self, place: int, distances: NDArray[np.float32]) -> Neighbour:
        prompt = self.file.prompts[place]
        return Neighbour(
            prompt=prompt.id,
            genre=prompt.genre,
            caption=prompt.caption,
            distance=float(distances[place]),
            wer=dict(zip(self.file.compositions, prompt.wer, strict=True)),
            songs=prompt.songs,
        )

    def _describe(self, prompt: RouterPrompt) -> Features:
        if self._featuriser is None:
            with self._lock:
                if self._featuriser is None:
                    self._featuriser = Featuriser(self._checked(load_sentence_model(self.file.sentences.name)))
        return self._featuriser.describe([prompt])

    def _checked(self, sentences: SentenceModel) -> SentenceModel:
        fitted = self.file.sentences
        if sentences.fingerprint != fitted.fingerprint:
            raise RouterError(
                f"the router was fitted with the sentence model {fitted.name} of fingerprint {fitted.fingerprint}, and "
                f"{sentences.name} has {sentences.fingerprint}: install that one, or fit again"
            )
        return sentences
