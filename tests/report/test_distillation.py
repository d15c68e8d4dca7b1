"""A distillation's page: what its folder holds, word for word and number for number, whatever the models are called."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from distillab.errors import RequestError
from distillab.report.distillation import (
    is_distillation,
    model_card,
    verdict_sentence,
    write_distillation_report,
)
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store

SCRIPT = "<script>alert(1)</script>"
CANDIDATES = [(True, 0.25, 4.0, 0.001), (True, 0.5, 4.0, 0.001), (True, 0.5, 4.0, 0.001), (True, 0.75, 1.5, 0.002)]
ALONE = [(False, 1.0, 1.0, 0.001), (False, 0.9, 1.0, 0.001), (False, 0.9, 1.0, 0.001)]
SCORES = [0.80, 0.86, 0.84, 0.82, 0.79, 0.83, 0.81]


def estimate(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01, "p": 0.02}


def result_in(folder: Path) -> dict[str, Any]:
    """Write what a distillation leaves of numbers, and return its result."""
    same = {"difference": 0.01, "low": -0.01, "high": 0.03, "p": 0.2}
    settings = {"taught": True, "alpha": 0.5, "temperature": 4.0, "learning_rate": 0.001, "loss": "", "student": 0}
    cost = {"parameters": 1000, "bytes": 9000, "flops": 5000, "latency": {"1": {"p50": 1e-5, "p99": 2e-5}}}
    result = {
        "names": {"student": "student", "teacher": SCRIPT, "data": "digits & more"},
        "verdict": {
            "kind": "supported",
            "seeds": 3,
            "student": {"accuracy": estimate(0.85)},
            "baseline": {"accuracy": estimate(0.82)},
            "teacher": {"accuracy": 0.9},
            "gain": {"accuracy": estimate(0.03)},
            "by_seed": {"student": {"accuracy": [0.84, 0.85, 0.86]}, "baseline": {"accuracy": [0.81, 0.82, 0.83]}},
            "examples": same,
            "against_teacher": same,
        },
        "chosen": settings,
        "baseline": settings | {"taught": False, "alpha": 0.9},
        "method": "A search chose.",
        "candidates": [],
        "costs": {"student": cost, "teacher": cost | {"parameters": 25_000}},
        "data": {"test": 300, "labelled": 1000, "unlabelled": 0, "validation": 100, "notes": ["A <note>."]},
        "unlabelled": "",
        "caveat": "",
        "request": {
            "metric": "accuracy",
            "epochs": 5,
            "batch_size": 32,
            "optimiser": "adam",
            "schedule": "cosine",
            "loss": "kl",
        },
        "provenance": {"command": "distillab distill", "versions": {"distillab": "0"}},
    }
    folder.mkdir(exist_ok=True)
    (folder / "result.json").write_text(json.dumps(result))
    with Store(folder / "study.db") as store:
        rows = [
            TrialResult(
                id=f"{number:016x}",
                seed=1000 + number,
                alpha=alpha,
                coordinates={"taught": taught, "part": part, "epochs": epochs},
                settings={
                    "taught": taught,
                    "alpha": alpha,
                    "temperature": temperature,
                    "learning_rate": rate,
                    "loss": "kl",
                    "student": 0,
                    "epochs": epochs,
                },
                teacher="teacher",
                epochs=[],
                metrics={(part, "accuracy"): score},
            )
            for number, ((taught, alpha, temperature, rate), score, part, epochs) in enumerate(
                [
                    *((one, score, "validation", 5) for one, score in zip(CANDIDATES + ALONE, SCORES, strict=True)),
                    (CANDIDATES[0], 0.99, "validation", 2),  # a rung of halving: not trained to its end
                    (CANDIDATES[0], 0.98, "test", 5),
                ]
            )
        ]
        store.add_cohort(rows, run=store.begin_run("now", {}), students=9, examples=10, seconds=1.0)
    return result


def written(folder: Path) -> tuple[str, dict[str, Any]]:
    (path,) = write_distillation_report(folder)
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    assert found
    return text, json.loads(found[1])


def test_candidates_are_those_trained_to_the_end_and_judged_on_validation_data(tmp_path: Path) -> None:
    result_in(tmp_path)
    _, data = written(tmp_path)

    def rows(chart: str, table: str) -> list[dict[str, Any]]:
        fields = data["fields"][chart][table]
        return [dict(zip(fields, row, strict=True)) for row in data[chart]["tables"][table]]

    found = rows("search", "candidates")
    scores = {(one["alpha"], one["temperature"]): (one["value"], one["trainings"]) for one in found}
    assert scores == {(0.5, 4.0): (pytest.approx(85), 2), (0.75, 1.5): (82, 1)}  # without the worst quarter
    assert rows("search", "level") == [{"value": pytest.approx(82)}]  # of the one that was looked at twice
    assert [one["value"] for one in rows("seeds", "seeds") if one["who"] == "student"] == [84, 85, 86]


def test_the_page_says_what_the_result_says(tmp_path: Path) -> None:
    result_in(tmp_path)
    text, _ = written(tmp_path)
    for told in (
        "Supported: distillation beats the same student without a teacher by +3.00 percentage points",
        "+3.00",
        "85.00 %",
        "25 times the student",
        "distillab distill",
    ):
        assert told in text
    assert "digits &amp; more" in text
    assert "A &lt;note&gt;." in text
    bare = re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.DOTALL)
    assert "<script" not in bare
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in bare


def test_a_result_without_the_values_of_each_seed_has_a_page(tmp_path: Path) -> None:
    result = result_in(tmp_path)
    del result["verdict"]["by_seed"]
    (tmp_path / "result.json").write_text(json.dumps(result))
    text, data = written(tmp_path)
    assert data["seeds"] is None
    assert "Seed by seed" not in text


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"names": {}}', "{"])
def test_a_damaged_result_is_told_in_one_line(tmp_path: Path, content: str) -> None:
    result_in(tmp_path)
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(RequestError, match=r"result.json cannot be read as the result of a distillation") as caught:
        write_distillation_report(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "report.html").exists()


def test_a_studys_folder_is_no_distillation(tmp_path: Path) -> None:
    assert not is_distillation(tmp_path)
    result_in(tmp_path)
    assert is_distillation(tmp_path)
    (tmp_path / "study.yaml").write_text("")
    assert not is_distillation(tmp_path)


def test_a_name_with_markup_is_plain_text_in_the_model_card(tmp_path: Path) -> None:
    result = result_in(tmp_path)
    result["names"]["student"] = "a*b_[c](d)|`e`\n# f"
    card = model_card(result)
    assert card.startswith("# a\\*b\\_\\[c\\](d)\\|\\`e\\` \\# f, distilled from \\<script\\>")
    assert not re.search(r"(?<!\\)<", card)
    assert "| accuracy (%) | 85.00 (84.00 to 86.00) | 82.00 (81.00 to 83.00) |" in card


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("supported", "Supported: distillation beats the same student without a teacher by +3.00 percentage points"),
        ("practically equivalent", "Practically equivalent: student and the same student without a teacher differ by"),
        ("contradicted", "Contradicted: distillation does not beat the same student without a teacher: +3.00"),
        ("undecided", "Undecided: 3 seeds do not show whether distillation beats the same student"),
    ],
)
def test_a_verdict_is_one_of_the_studys_four(tmp_path: Path, kind: str, start: str) -> None:
    verdict = result_in(tmp_path)["verdict"] | {"kind": kind, "seeds_needed": 9}
    sentence = verdict_sentence(verdict)
    assert sentence.startswith(start)
    assert "McNemar's exact test of the shipped pair on the test examples: +1.00, p = 0.2." in sentence
    assert sentence.endswith("9 seeds would probably decide it.") == (kind == "undecided")
