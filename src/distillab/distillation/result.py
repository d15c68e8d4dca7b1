"""What a distillation leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from distillab.distillation.cost import Cost
from distillab.distillation.request import Request
from distillab.distillation.verdict import Verdict
from distillab.search.grid import Scores
from distillab.search.space import Candidate


@dataclass(frozen=True)
class Result:
    """A distilled student, and the evidence.

    Args:
        student: inputs as the data have them, preprocessing inside.
        verdict: whether distillation helped.
        chosen: the numbers of the student's training.
        alone: those of the baseline's.
        request: what was asked for.
        scores: every candidate that was trained for all epochs, with its validation score.
        method: how alpha was chosen, a sentence.
        costs: of "student" and "teacher", the latter where it is a model.
        names: of the student, the teachers and the data.
        data: what the data hold: counts, classes, notes.
        unlabelled: what the unlabelled examples gained, a sentence; empty where there were none.
        caveat: what makes the result doubtful, in sentences; empty where nothing is known to.
        provenance: versions, machine, command.
        folder: where everything lies; None: nowhere.
    """

    student: keras.Model = field(repr=False)
    verdict: Verdict
    chosen: Candidate
    alone: Candidate
    request: Request
    scores: Scores = field(repr=False)
    method: str
    costs: Mapping[str, Cost] = field(repr=False)
    names: Mapping[str, str]
    data: Mapping[str, Any]
    unlabelled: str = ""
    caveat: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    folder: Path | None = None

    def report(self) -> str:
        """The model card, in Markdown."""
        from distillab.report.distillation import model_card

        return model_card(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Everything but the model, as plain values."""
        from dataclasses import asdict

        verdict = self.verdict
        return {
            "names": dict(self.names),
            "verdict": {
                "kind": verdict.kind,
                "seeds": verdict.seeds,
                "student": {name: value._asdict() for name, value in verdict.student.items()},
                "baseline": {name: value._asdict() for name, value in verdict.baseline.items()},
                "teacher": dict(verdict.teacher),
                "gain": {name: value._asdict() for name, value in verdict.gain.items()},
                "examples": verdict.examples._asdict(),
                "by_seed": {who: dict(of) for who, of in verdict.by_seed.items()},
                "against_teacher": verdict.against_teacher._asdict(),
            },
            "chosen": self.chosen._asdict(),
            "baseline": self.alone._asdict(),
            "method": self.method,
            "candidates": [{**one._asdict(), "score": a, "nll": -b} for one, a, b in self.scores],
            "costs": {
                who: {**cost._asdict(), "latency": {str(size): times._asdict() for size, times in cost.latency.items()}}
                for who, cost in self.costs.items()
            },
            "data": dict(self.data),
            "unlabelled": self.unlabelled,
            "caveat": self.caveat,
            "request": asdict(self.request),
            "provenance": dict(self.provenance),
        }
