"""Evaluations and refits that only stand as they are told to, with what was asked of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from engine.errors import ChoirmasterError, Fault, RequestError
from ui.evaluations import EvaluationRequest, EvaluationStanding
from ui.refits import Interval, RefitFindings, RefitRequest, RefitStanding

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class PlantedEvaluations:
    """Each begins with nothing sung; ``move`` says how far it is."""

    reason: str | None = None

    def __init__(self) -> None:
        self.known: dict[str, EvaluationStanding] = {}
        self.refused: ChoirmasterError | None = None

    def start(self, request: EvaluationRequest) -> EvaluationStanding:
        if self.refused is not None:
            raise self.refused
        if "ghost=1" in request.compositions:
            raise RequestError.of([Fault("compositions", "there is no adapter ghost: choose from folk, rock")])
        same = next((one for one in self.known.values() if one.request == request), None)
        name = same.id if same else f"{len(self.known) + 1:016x}"
        total = len(request.compositions) * request.genres * request.seeds
        sung = same.heard if same else 0
        standing = EvaluationStanding(
            id=name, state="running", request=request, created=NOW, total=total, sung=sung, heard=sung
        )
        self.known[name] = standing
        return standing

    def move(self, name: str, **changes: object) -> None:
        self.known[name] = self.known[name].model_copy(update=changes)

    def standing(self, name: str) -> EvaluationStanding | None:
        return self.known.get(name)

    def listed(self) -> list[EvaluationStanding]:
        return list(self.known.values())[::-1]

    def cancel(self, name: str) -> bool:
        self.move(name, state="cancelled")
        return True

    def remove(self, name: str) -> Literal["cancelled", "removed"] | None:
        return "removed" if self.known.pop(name, None) else None

    def close(self) -> None:
        pass


class PlantedRefits:
    """Each begins with no genre left out; ``finish`` gives it findings."""

    def __init__(self) -> None:
        self.known: dict[str, RefitStanding] = {}
        self.used: str | None = None

    def start(self, request: RefitRequest) -> RefitStanding:
        name = f"{len(self.known) + 1:016x}"
        standing = RefitStanding(id=name, state="running", request=request, created=NOW, stage="fitting", total=30)
        self.known[name] = standing
        return standing

    def move(self, name: str, **changes: object) -> None:
        self.known[name] = self.known[name].model_copy(update=changes)

    def finish(self, name: str, signal: bool = False) -> None:
        self.move(name, state="done", findings=make_findings(signal), report=f"/v1/refits/{name}/report")

    def standing(self, name: str) -> RefitStanding | None:
        found = self.known.get(name)
        return None if found is None else found.model_copy(update={"used": self.used == name})

    def listed(self) -> list[RefitStanding]:
        return [found for name in reversed(self.known) if (found := self.standing(name)) is not None]

    def cancel(self, name: str) -> bool:
        self.move(name, state="cancelled")
        return True

    def remove(self, name: str) -> Literal["cancelled", "removed"] | None:
        return "removed" if self.known.pop(name, None) else None

    def use(self, name: str) -> RefitStanding | None:
        self.used = name
        return self.standing(name)

    def restore(self) -> None:
        self.used = None

    def close(self) -> None:
        pass


def make_findings(signal: bool = False) -> RefitFindings:
    """Of a fit that gains 1.2 points, from -1 to 3."""
    return RefitFindings(
        default="base", policy="ridge", judge="planted int8 beam 5", scored_by="second int8 beam 5", signal=signal,
        prompts=4, genres=2, compositions=("base", "folk=1"), gain=Interval(value=0.012, low=-0.01, high=0.03),
        sentences=("Of <b>nothing</b> much.",), notes=("Two songs were left out.",), seconds=3.0,
    )  # fmt: skip
