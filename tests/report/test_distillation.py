"""A distillation's page and card: word for word and number for number what its finding says."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from distillab.errors import RequestError
from distillab.report.distillation import model_card, write_distillation_report
from distillab.report.results import read_finding
from distillab.report.text import distillation_text
from distillab.report.view.distillation import distillation_view, verdict_sentence
from distillab.study.folder import Folder

SCRIPT = "<script>alert(1)</script>"
RATE = 0.001
CANDIDATES = [(0.25, 4.0, RATE, 0.80, 1), (0.5, 4.0, RATE, 0.85, 2), (0.75, 1.5, 0.002, 0.82, 1)]
ALONE = [(1.0, 1.0, RATE, 0.84, 1), (0.9, 1.0, RATE, 0.82, 2)]


def estimate(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01, "p": 0.02}


def over_both(student: float, baseline: float, gain: float, against_teacher: float) -> dict[str, Any]:
    """Means for other seeds and other test examples: wider than those over seeds."""
    means = {"student": student, "baseline": baseline, "gain": gain, "against_teacher": against_teacher}
    chance = {"p": 0.03, "seeds": 3, "cases": 300}
    return {who: {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, **chance} for who, mean in means.items()}


def candidate(distilled: bool, alpha: float, temperature: float, rate: float, score: float, trainings: int) -> Any:
    settings = {"distilled": distilled, "alpha": alpha, "temperature": temperature, "learning_rate": rate}
    return {**settings, "loss": "kl", "student": "student", "score": score, "nll": 0.5, "trainings": trainings}


def example() -> dict[str, Any]:
    """The finding of a distillation, whose names hold markup."""
    cost = {"parameters": 1000, "bytes": 9000, "flops": 5000, "latency": {"1": {"p50": 1e-5, "p99": 2e-5}}}
    distilled = [candidate(True, *settings) for settings in CANDIDATES]
    alone = [candidate(False, *settings) for settings in ALONE]
    return {
        "kind": "distillation",
        "names": {"student": "student", "teacher": SCRIPT, "data": "digits & more"},
        "verdict": {
            "kind": "supported",
            "seeds": 3,
            "seeds_needed": None,
            "student": {"accuracy": estimate(0.85)},
            "baseline": {"accuracy": estimate(0.82)},
            "teacher": {"accuracy": 0.9},
            "gain": {"accuracy": estimate(0.03)},
            "by_seed": {"student": {"accuracy": [0.84, 0.85, 0.86]}, "baseline": {"accuracy": [0.81, 0.82, 0.83]}},
            "test_examples": 300,
            "examples_needed": None,
            "over_both": over_both(0.85, 0.82, 0.03, -0.05),
        },
        "chosen": distilled[1],
        "baseline": alone[1],
        "search": {
            "method": "A search from coarse to fine",
            "metric": "accuracy",
            "distilled": 3,
            "baseline": 2,
            "trainings": 1,
            "finalists": 1,
            "repeats": 2,
            "cuts": ["2 seeds instead of 3"],
        },
        "candidates": [*distilled, *alone],
        "costs": {"student": cost, "teacher": cost | {"parameters": 25_000}},
        "data": {
            "test": 300,
            "labelled": 1000,
            "unlabelled": 0,
            "validation": 100,
            "class_names": ["no", "yes"],
            "input_shape": [4],
            "reads": "as they are",
            "student_gives": "logits",
            "notes": ["A <note>."],
        },
        "unlabelled": None,
        "memorised": None,
        "request": {"metric": "accuracy", "epochs": 5, "batch_size": 32, "optimiser": "adam", "schedule": "cosine"},
        "provenance": {"command": "distillab distill", "versions": {"distillab": "0"}},
    }


def written(folder: Path, finding: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    (path,) = write_distillation_report(Folder(folder), finding)
    text = path.read_text(encoding="utf-8")
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    assert match
    return text, json.loads(match[1])


def test_the_charts_show_the_candidates_and_every_seed(tmp_path: Path) -> None:
    _, data = written(tmp_path, example())

    def rows(chart: str, table: str) -> list[dict[str, Any]]:
        fields = data["fields"][chart][table]
        return [dict(zip(fields, row, strict=True)) for row in data[chart]["tables"][table]]

    candidates = rows("search", "candidates")
    scores = {(row["alpha"], row["temperature"]): (row["value"], row["trainings"]) for row in candidates}
    assert scores == {(0.5, 4.0): (pytest.approx(85), 2), (0.75, 1.5): (82, 1)}  # without the worst quarter
    assert rows("search", "level") == [{"value": pytest.approx(82)}]  # the one with the most trainings
    assert [row["value"] for row in rows("seeds", "seeds") if row["who"] == "student"] == [84, 85, 86]


def test_the_page_states_the_finding(tmp_path: Path) -> None:
    text, _ = written(tmp_path, example())
    for part in (
        "Supported: distillation beats the same student without a teacher by +3.00 percentage points",
        "+3.00",
        "85.00 %",
        "25 times the student",
        "distillab distill",
        "To keep the time budget: 2 seeds instead of 3.",
    ):
        assert part in text
    assert "digits &amp; more" in text
    assert "A &lt;note&gt;." in text
    bare = re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.DOTALL)
    assert "<script" not in bare
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in bare


def test_a_finding_without_the_values_of_each_seed_has_a_page(tmp_path: Path) -> None:
    finding = example()
    del finding["verdict"]["by_seed"]
    text, data = written(tmp_path, finding)
    assert data["seeds"] is None
    assert "Seed by seed" not in text


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"names": {}}', "{"])
def test_a_damaged_finding_is_reported_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "answer.json").write_text(content)
    with pytest.raises(RequestError, match=r"answer\.json is not the finding of a distillation") as caught:
        read_finding(Folder(tmp_path))
    assert "\n" not in str(caught.value)


def test_an_unfinished_distillation_has_no_finding(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"is not finished\. Run 'distillab distill' again"):
        read_finding(Folder(tmp_path))


def test_a_finding_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(example()))
    assert read_finding(Folder(tmp_path)) == example()


def test_the_text_states_verdict_quality_training_and_caveats() -> None:
    finding = example() | {"memorised": {"validation": 1.0, "test": 0.9}}
    text = " ".join(distillation_text(distillation_view(finding)).split())
    for part in (
        "student, distilled from <script>",
        "Supported: distillation beats",
        "The teacher's accuracy is 100.0% on the validation examples and 90.0% on the test examples",
        "accuracy (%) 85.00 (84.00 to 86.00) 82.00 (81.00 to 83.00) +3.00",
        "A search from coarse to fine chose the settings by validation accuracy",
        "The student against the teacher: -5.00 points",
    ):
        assert part in text


def test_a_name_with_markup_is_plain_text_in_the_model_card() -> None:
    result = example()
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
        (
            "undecided",
            "Undecided: 3 seeds and 300 test examples do not show whether distillation beats the same student",
        ),
    ],
)
def test_a_verdict_is_one_of_the_studys_four(kind: str, start: str) -> None:
    verdict = example()["verdict"] | {"kind": kind, "seeds_needed": 9, "examples_needed": 4000}
    sentence = verdict_sentence(verdict)
    assert sentence.startswith(start)
    assert "3 seeds and 300 test examples" in sentence
    assert "(95 % interval for other seeds and other test examples +1.00 to +5.00, p = 0.03" in sentence
    advice = "9 seeds on these test examples or 4,000 test examples with these seeds would probably decide it."
    assert sentence.endswith(advice) == (kind == "undecided")


NUMBERS = {
    "task": "regression",
    "output_shape": [1],
    "class_names": ["price"],
    "student_gives": "real numbers",
}


def of_numbers() -> dict[str, Any]:
    """A distillation of a real number: its student errs by 0.5 less, which is better."""
    finding = example()
    verdict = finding["verdict"] | {"metric": "mae"}
    verdict |= {who: {"mae": estimate(mean)} for who, mean in (("student", 4.0), ("baseline", 4.5), ("gain", -0.5))}
    verdict |= {"teacher": {"mae": 3.5}, "by_seed": {who: {"mae": [4.0, 4.1]} for who in ("student", "baseline")}}
    verdict["over_both"] = over_both(4.0, 4.5, -0.5, 0.5)
    detail = {"pairs": [[1.0, 1.5, 0], [2.0, 1.75, 0]], "residuals": {"edges": [-1, 0, 1], "counts": [1, 1]}}
    finding |= {"verdict": verdict, "data": finding["data"] | NUMBERS, "detail": {"student": detail}}
    finding["search"] = finding["search"] | {"metric": "mae"}
    finding["request"] = finding["request"] | {"loss": "squared", "label_loss": "huber"}
    finding["chosen"] = finding["chosen"] | {"loss": ""}
    return finding


def test_a_distillation_of_a_real_number_speaks_of_errors_and_of_no_temperature(tmp_path: Path) -> None:
    view = distillation_view(of_numbers())
    assert "the student's test mean absolute error is 0.5000 lower" in view.verdict
    assert "(95 % interval for other seeds and other test examples -0.5200 to -0.4800" in view.verdict
    assert "real numbers in the labels' unit. Numbers: 0 price" in view.use
    whole = " ".join((*view.training, view.method))
    assert "temperature" not in whole
    assert "label loss huber" in whole
    assert "(ties by squared error)" in whole
    assert view.candidates["alone"] == 0.82  # the least error of those trained most
    text, data = written(tmp_path, of_numbers())
    assert "accuracy" not in text.split("<script")[0].lower()
    assert data["pairs"]
    assert data["roc"] is None


@pytest.mark.parametrize(
    ("task", "gives", "shape", "names", "use"),
    [
        ("binary", "probabilities", [1], ["no", "yes"], "It returns the probability of 'yes'. Classes: 0 no, 1 yes."),
        ("binary", "logits", [1], ["no", "yes"], "logits (apply sigmoid for probabilities) of 'yes'"),
        ("multilabel", "probabilities", [3], ["a", "b", "c"], "probabilities, one for each label. Labels: 0 a"),
        (
            "categorical",
            "logits",
            [8, 9, 2],
            ["no", "yes"],
            "at every position: shape (8, 9, 2); the class is their argmax",
        ),
    ],
)
def test_the_use_says_what_outputs_are_and_how_to_read_them(
    task: str, gives: str, shape: list[int], names: list[str], use: str
) -> None:
    finding = example()
    finding["data"] |= {"task": task, "student_gives": gives, "output_shape": shape, "class_names": names}
    assert use in distillation_view(finding).use


def test_several_labels_have_a_row_each_beside_the_teachers(tmp_path: Path) -> None:
    finding = example()
    row = {"positives": 4, "auroc": 0.75, "f1": 0.5, "precision": 0.5, "recall": 0.5}
    labels = [{"label": 0, "average_precision": 0.5, **row}, {"label": 1, "average_precision": None, **row}]
    curves = {"roc": [[0.0, 0.0], [1.0, 1.0]], "pr": [[0.0, 1.0], [1.0, 0.5]], "labels": labels}
    finding["detail"] = dict.fromkeys(("student", "baseline", "teacher"), curves)
    finding["data"] |= {"task": "multilabel", "output_shape": [2]}
    table = distillation_view(finding).labels
    assert table is not None
    assert [cells[:4] for cells in table.rows] == [("no", "4", "50.0", "50.0"), ("yes", "4", "-", "-")]
    _, data = written(tmp_path, finding)
    assert {row[0] for row in data["roc"]["tables"]["rows"]} == {"student", "without a teacher", "teacher"}


def test_the_confusion_matrix_is_drawn_and_curves_that_are_undefined_are_left_out(tmp_path: Path) -> None:
    finding = example()
    finding["data"] |= {"task": "binary", "output_shape": [1]}
    finding["detail"] = {"student": {"roc": None, "pr": None, "confusion": [[9, 1], [0, 5]]}}
    text, data = written(tmp_path, finding)
    assert data["fields"]["confusion"]["counts"] == ["label", "prediction", "count"]
    assert data["confusion"]["tables"]["counts"] == [[0, 0, 9], [0, 1, 1], [1, 1, 5]]
    assert 'id="chart-confusion"' in text
    assert (data["roc"], data["pr"]) == (None, None)
    assert 'id="chart-roc"' not in text


def test_a_page_of_several_numbers_says_which_one_is_drawn(tmp_path: Path) -> None:
    finding = of_numbers()
    finding["data"]["class_names"] = ["price", "age"]
    text, _ = written(tmp_path, finding)
    assert "Of the numbers, the first: price." in text
    assert "all numbers together" in text


@pytest.mark.parametrize(
    ("kind", "gain", "words"),
    [
        ("supported", -0.5, "without a teacher: the student's test mean absolute error is 0.5000 lower (95 % interval"),
        ("contradicted", 0.25, "without a teacher: the student's test mean absolute error is 0.2500 higher"),
        ("practically equivalent", -0.25, "hardly differ: the student's test mean absolute error is 0.2500 lower"),
    ],
)
def test_a_metric_of_which_less_is_better_is_lower_or_higher(kind: str, gain: float, words: str) -> None:
    finding = of_numbers()
    verdict = finding["verdict"] | {"kind": kind, "over_both": over_both(4.0, 4.5, gain, 0.5)}
    assert words in verdict_sentence(verdict)
    assert "lower is better" in distillation_view(finding).key_figures[1].note


def test_without_an_interval_over_examples_nothing_is_claimed_of_others() -> None:
    finding = of_numbers()
    undefined = {"mean": -0.4, "low": math.nan, "high": math.nan, "p": 1.0, "seeds": 3, "cases": 1}
    finding["verdict"]["over_both"] |= {"gain": undefined, "against_teacher": undefined}
    view = distillation_view(finding)
    for sentence in (view.verdict, view.against_teacher):
        assert "(no interval: nothing is known of other test examples" in sentence
        assert "nan" not in sentence


def test_one_seed_covers_other_test_examples_alone() -> None:
    verdict = example()["verdict"] | {"kind": "undecided", "seeds": 1}
    verdict["over_both"]["gain"]["seeds"] = 1
    sentence = verdict_sentence(verdict)
    assert "1 seed and 300 test examples do not show" in sentence
    assert "95 % interval for other test examples alone" in sentence


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({"warm": False, "kept": 0, "numbers": 0, "drawn": 4}, None),
        (
            {"warm": True, "kept": 2, "numbers": 36, "drawn": 2},
            "All weights of the student start as given (warm start)",
        ),
        (
            {"warm": False, "kept": 12, "numbers": 2_223_872, "drawn": 4},
            "The student keeps 12 weight arrays as given (2,223,872 numbers, in frozen layers or adapted statistics) "
            "and draws 4 anew for each seed.",
        ),
    ],
)
def test_text_and_card_say_which_weights_start_as_given(start: dict[str, Any], words: str | None) -> None:
    finding = example() | {"start": start}
    for text in (distillation_text(distillation_view(finding)), model_card(finding)):
        line = " ".join(text.replace("\\", "").split())
        assert (words in line) if words else ("as given" not in line)
