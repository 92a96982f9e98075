"""The findings of a test as a table for a document: a row for each way of choosing, a column for each judge."""

from __future__ import annotations

from eval.figures import show_estimate
from router.findings import Findings, Kind, Score

_KINDS: tuple[Kind, ...] = ("single", "control", "router", "cascade", "oracle")


def headline_markdown(findings: Findings) -> str:
    """Macro WER with its interval by every judge, the one that does not select first; best first within a kind.

    Policies that are not the router are left out.
    """
    judges = sorted(findings.judges, key=lambda judged: judged.selecting)
    told = [{score.name: score for score in judged.scores} for judged in judges]
    heads = [f"{judged.judge}{', selecting' if judged.selecting else ''}" for judged in judges]
    lines = [
        f"| way of choosing | {' | '.join(heads)} | songs |",
        f"| --- |{' ---: |' * (len(heads) + 1)}",
    ]
    for kind in _KINDS:
        for score in sorted((s for s in judges[0].scores if s.kind == kind), key=lambda s: s.wer.value):
            rates = " | ".join(show_estimate(scores[score.name].wer) for scores in told)
            lines.append(f"| {_name(score, findings)} | {rates} | {score.songs:.2f} |")
    return "\n".join(lines)


def _name(score: Score, findings: Findings) -> str:
    if score.kind == "single":
        return f"always `{score.name}`" + (" (the default)" if score.name == findings.default else "")
    if score.kind == "oracle":
        return "oracle, chosen on half of the seeds and scored on the others"
    return score.name
