"""The pages in a real browser, opened from a file with the network off."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_digits
from tests.report.test_distillation import SCRIPT, example

from distillab.analysis import alpha_curves
from distillab.report.comparison import write_comparison
from distillab.report.distillation import write_distillation_report
from distillab.report.results import Results, read_results
from distillab.report.write import write_report
from distillab.study.folder import Folder
from distillab.study.run import run_study
from distillab.study.spec import read_spec
from distillab.study.storage.store import Store

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package chromium")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RICH = {
    "alpha": [0, 0.25, 0.5, 1],
    "seeds": 6,
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.01,
    "teacher": {"model": "mlp-32", "epochs": 5, "batch_size": 32, "learning_rate": 0.01},
    "student": {"model": "mlp-8"},
    "noise": {"rate": [0, 0.2]},
}


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A whole study of real images with an axis besides alpha, wrong labels, and a class called like a script."""
    directory = tmp_path_factory.mktemp("rich")
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    np.savez(
        directory / "digits.npz",
        x_train=images[:400],
        y_train=digits.target[:400],
        x_test=images[400:700],
        y_test=digits.target[400:700],
    )
    folder = Folder(directory / "study")
    run_study(read_spec(RICH | {"dataset": str(directory / "digits.npz")}), folder.path)
    with Store(folder.store) as store:  # names of classes are those of the last run
        store.begin_run("2026-01-01T00:00:00+00:00", {"data": {"classes": [SCRIPT, *map(str, range(1, 10))]}})
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def results(rich: Folder) -> Results:
    return read_results(rich)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


Opener = Callable[..., Any]


@pytest.fixture
def opened(browser: Any) -> Iterator[Opener]:
    """Opens a page and draws it to its end; at last, sees that it asked for nothing and complained of nothing."""
    logged: list[str] = []
    contexts = []

    def open_page(path: Path, **how: Any) -> Any:
        context = browser.new_context(offline=True, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: logged.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: logged.append(str(error)))
        page.on("dialog", lambda dialog: logged.append(f"dialog: {dialog.message}"))
        allowed = path.resolve().as_uri()
        page.on(
            "request",
            lambda request: (
                None
                if request.url == allowed or request.url.startswith("data:image/png")
                else logged.append(f"request: {request.url}")
            ),
        )
        page.goto(allowed)
        settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert logged == []


def settle(page: Any) -> None:
    page.evaluate("async () => { await window.distillab.ready; }")


def data(page: Any, chart: str, name: str) -> list[dict[str, Any]]:
    """What a chart really holds, as Vega has it."""
    return page.evaluate(f"distillab.charts[{json.dumps(chart)}].view.data({json.dumps(name)})")


def choose(page: Any, control: str, value: str) -> None:
    page.select_option(f"#{control}", value)
    settle(page)


def test_every_section_of_a_rich_study_is_drawn(rich: Folder, opened: Opener) -> None:
    page = opened(rich.report)
    headings = page.locator("main h2").all_inner_texts()
    assert headings == [
        "Answer",
        "Accuracy against alpha",
        "Paired differences",
        "Along the axes",
        "Wrong labels",
        "Class by class",
        "Learning curves",
        "Calibration and agreement",
        "Dark knowledge, example by example",
        "Predicted alpha",
        "Every alpha",
        "Cost",
        "Method",
        "Caveats",
    ]
    choose(page, "setting", "1")  # with wrong labels: nothing is left out
    charts = page.locator(".chart")
    for index in range(charts.count()):
        chart = charts.nth(index)
        assert chart.is_visible(), chart.get_attribute("id")
        assert chart.locator("svg path").count() > 3, chart.get_attribute("id")
    exhibits = page.locator(".exhibit")
    assert exhibits.count() >= 10
    assert page.evaluate("[...document.querySelectorAll('.exhibit img')].every((one) => one.naturalWidth === 8)")


def test_the_metric_chosen_is_the_metric_shown(rich: Folder, results: Results, opened: Opener) -> None:
    page = opened(rich.report)
    for metric, factor, digits in (("f1_macro", 100, 2), ("nll", 1, 4)):
        choose(page, "metric", metric)
        rows = data(page, "metric", "rows")
        cell = [trial for trial in results.trials if trial.settings["noise"]["rate"] == 0]
        for row in rows:
            values = [trial.metrics["test", metric] for trial in cell if trial.alpha == row["alpha"]]
            assert len(values) == row["n"] == 6
            assert row["value"] == pytest.approx(factor * np.mean(values), rel=1e-4)  # five digits in the page
            assert row["mean"].startswith(f"{factor * np.mean(values):.{digits}f}"[:-1])
        dots = data(page, "metric", "dots")
        wanted = [factor * trial.metrics["test", metric] for trial in cell]
        np.testing.assert_allclose(sorted(dot["value"] for dot in dots), sorted(wanted), rtol=1e-4)
    page.uncheck("#dots")
    page.uncheck("#band")
    settle(page)
    assert data(page, "metric", "dots") == data(page, "metric", "intervals") == []


def test_the_setting_chosen_is_shown_in_all_sections(rich: Folder, results: Results, opened: Opener) -> None:
    page = opened(rich.report)
    assert page.locator("#chart-denoising").is_hidden()
    assert "None among the examples shown" in page.locator("#gallery").inner_text()
    choose(page, "setting", "1")
    curve = alpha_curves(results.spec, results.trials, results.teachers)[1]
    assert curve.label == "noise rate 0.2"
    means = {row["alpha"]: row["value"] for row in data(page, "metric", "rows")}
    assert list(means.values()) == pytest.approx((100 * curve.test.mean(axis=0)).tolist(), rel=1e-4)
    cell = [trial for trial in results.trials if trial.settings["noise"]["rate"] == 0.2]
    right = {
        row["alpha"]: row["value"] for row in data(page, "denoising", "rows") if row["name"] == "recovered by students"
    }
    for alpha, value in right.items():
        shares = [trial.metrics["train", "recovered"] for trial in cell if trial.alpha == alpha]
        assert value == pytest.approx(100 * np.mean(shares), rel=1e-4)
    assert page.locator(".exhibit .wrong").count() >= 6


def test_differences_follow_the_reference(rich: Folder, results: Results, opened: Opener) -> None:
    page = opened(rich.report)
    test = alpha_curves(results.spec, results.trials, results.teachers)[0].test
    alphas = [0, 0.25, 0.5, 1]
    for reference, column in (("labels", 3), ("teacher", 0)):
        choose(page, "against", reference)
        differences = {row["alpha"]: row["value"] for row in data(page, "differences", "rows")}
        wanted = 100 * (test - test[:, [column]]).mean(axis=0)
        assert differences == pytest.approx(
            {a: w for a, w in zip(alphas, wanted, strict=True) if a != alphas[column]}, rel=1e-4
        )


def test_the_confusion_matrix_follows_the_alpha(rich: Folder, results: Results, opened: Opener) -> None:
    page = opened(rich.report)
    for index, alpha in ((0, 0.0), (3, 1.0)):
        choose(page, "alpha", str(index))
        cell = [t.id for t in results.trials if t.alpha == alpha and t.settings["noise"]["rate"] == 0]
        counts = np.sum([results.confusions[name] for name in cell], axis=0)
        shown = np.zeros_like(counts)
        for row in data(page, "confusion", "counts"):
            shown[row["label"], row["prediction"]] = row["count"]
        np.testing.assert_array_equal(shown, counts)
        recall = [float(text) for text in page.locator("#class-scores tr td:nth-child(3)").all_inner_texts()]
        np.testing.assert_allclose(recall, 100 * np.diag(counts) / counts.sum(axis=1), atol=0.006)  # two decimals


def test_the_temperature_softens_the_predictions_in_the_page(rich: Folder, results: Results, opened: Opener) -> None:
    page = opened(rich.report)
    exhibit = page.evaluate("distillab.data")["settings"][0]["gallery"]["kinds"][0]["exhibits"][0]
    ((key, teacher_logits),) = results.teacher_example_predictions.items()
    logits, name = teacher_logits[exhibit["place"]].astype(np.float64), key[1]
    assert exhibit["clean"] == results.examples[name].labels[exhibit["place"]]
    bars = page.locator("#gallery .bars[role=img]").first
    for temperature in (1.0, 8.0):
        page.locator("#temperature").fill(str(temperature))
        shares = softmax(logits / temperature)
        first = int(shares.argmax())
        label = bars.get_attribute("aria-label")
        called = SCRIPT if first == 0 else str(first)
        assert label.startswith(f"the teacher: {called} {100 * shares[first]:.1f} %")
        assert page.locator("#temperature-told").inner_text() == f"T = {temperature:g}"


def test_what_is_pointed_at_tells_its_numbers(rich: Folder, opened: Opener) -> None:
    page = opened(rich.report, viewport={"width": 1000, "height": 900})
    chart = page.locator("#chart-metric svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    row = data(page, "metric", "rows")[1]
    x = page.evaluate("distillab.charts.metric.view.scale('x')(0.25) + distillab.charts.metric.view.origin()[0]")
    page.mouse.move(box["x"] + x, box["y"] + box["height"] / 2)
    tip = page.locator("#vg-tooltip-element")
    tip.wait_for(state="visible")
    text = tip.inner_text()
    for expected in (row["mean"], row["95 % interval"], row["p after Holm"], "0.25"):
        assert expected in text


def test_a_class_called_like_a_script_stays_text(rich: Folder, opened: Opener) -> None:
    page = opened(rich.report)
    assert page.locator("#class-scores th").first.inner_text() == SCRIPT
    assert page.locator("script").count() == 4


def test_the_controls_are_reached_by_keyboard(rich: Folder, opened: Opener) -> None:
    page = opened(rich.report)
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert {"setting", "metric", "dots", "band", "against"} <= set(reached)
    page.focus("#metric")
    page.keyboard.press("ArrowDown")
    settle(page)
    assert page.locator("#metric").input_value() == "balanced_accuracy"


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="desktop"),
        pytest.param(
            {"viewport": {"width": 390, "height": 844}, "is_mobile": True}, id="phone", marks=pytest.mark.slow
        ),
    ],
)
def test_nothing_stands_in_the_way_of_anyone(rich: Folder, opened: Opener, how: dict[str, Any]) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="pip install axe-core-python").Axe()
    page = opened(rich.report, **how)
    choose(page, "setting", "1")
    hidden = {"exclude": [".chart svg"]}  # hidden from readers: the place around it has the name
    violations = axe.run(page, context=hidden)["violations"]
    if not how:
        page.emulate_media(color_scheme="dark")
        violations += axe.run(page, context=hidden, options={"runOnly": ["color-contrast"]})["violations"]
    serious = [
        (violation["id"], [node["target"] for node in violation["nodes"]][:3])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(
    ("changes", "done"),
    [({}, 0), ({}, 1), ({}, 5), ({"alpha": 0.3}, 3), ({"alpha": [0.2, 0.4]}, 6), ({"seeds": 1}, 3)],
    ids=["empty", "one student", "half finished", "a single alpha", "no ends", "one seed"],
)
def test_a_poor_study_has_a_page_that_works(
    rows: Any, tmp_path: Path, opened: Opener, changes: dict[str, Any], done: int
) -> None:
    spec = rows.spec(**changes)
    folder = Folder(tmp_path / "study")
    with folder.write(spec) as store:
        run = store.begin_run("2026-01-01T00:00:00+00:00", {})
        trials = rows.trials(spec, lambda alpha, seed: 0.9 + 0.01 * alpha + 0.001 * seed)[:done]
        for teacher in rows.teachers().values():
            store.add_teacher(teacher)
        store.add_cohort(trials, run=run, students=done, examples=100, seconds=2.0)
    write_report(folder)
    page = opened(folder.report)
    assert len(data(page, "metric", "rows")) == len({trial.alpha for trial in trials})
    assert page.locator("#no-differences").is_visible() == (done <= 1 or "alpha" in changes)


def test_studies_are_compared_line_by_line(rich: Folder, results: Results, tmp_path: Path, opened: Opener) -> None:
    other = Folder(tmp_path / "other")
    shutil.copytree(rich.path, other.path)
    (to,) = write_comparison([rich, other], tmp_path / "both.html")
    page = opened(to)
    rows = data(page, "comparison", "rows")
    assert len({row["study"] for row in rows}) == 4
    assert all(row["value"] == 0 for row in rows if row["alpha"] == 1)
    choose(page, "shown", "value")
    test = alpha_curves(results.spec, results.trials, results.teachers)[0].test
    shown = [row["value"] for row in data(page, "comparison", "rows")][:4]
    assert shown == pytest.approx((100 * test.mean(axis=0)).tolist(), rel=1e-4)


def test_a_distillation_has_a_page_of_its_own(tmp_path: Path, opened: Opener) -> None:
    finding = example()
    (to,) = write_distillation_report(Folder(tmp_path), finding)
    page = opened(to)
    assert page.locator("h1").inner_text() == "student, distilled from " + SCRIPT
    seeds = data(page, "seeds", "seeds")
    assert [row["value"] for row in seeds if row["who"] == "student"] == pytest.approx(
        [100 * value for value in finding["verdict"]["by_seed"]["student"]["accuracy"]]
    )
    assert {row["alpha"] for row in data(page, "search", "candidates")} == {0.5, 0.75}  # without the worst quarter
    (chosen,) = data(page, "search", "chosen")
    assert chosen["alpha"] == finding["chosen"]["alpha"]
