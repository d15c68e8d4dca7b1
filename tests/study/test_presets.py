"""The presets: each says what it asks and costs, each runs at its quick size, and none is smaller than five seeds."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml

from distillab.cli import main
from distillab.study.spec import load_spec, presets

NAMES = (
    "alpha",
    "architectures",
    "beyond",
    "binary",
    "cifar10",
    "data-size",
    "demo",
    "fashion",
    "literature-hinton-temperature",
    "literature-hinton-withheld",
    "literature-hinton",
    "literature-lopez-paz",
    "literature-mueller",
    "literature-pytorch",
    "literature-stanton",
    "losses",
    "multilabel",
    "noise",
    "original",
    "regression",
    "segmentation",
    "teacher-quality",
    "temperature",
    "theory-check",
    "training-length",
)
PUBLISHED = tuple(name for name in NAMES if name.startswith("literature-"))
"""These keep the protocol of a paper, which fixes their alphas."""


def test_these_are_the_presets() -> None:
    assert tuple(presets()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_it_asks_and_what_it_costs(name: str) -> None:
    text = presets()[name].read_text()
    comment = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert "?" in comment
    assert "Cost:" in comment
    assert "2 cores" in comment


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_of_the_literature_names_its_source_and_trains_at_least_five_times(name: str) -> None:
    text = presets()[name].read_text()
    assert re.search(r"^# .*(19|20)\d\d", text, re.MULTILINE)
    spec = load_spec(name)
    again = {axis.key: len(axis.values) for axis in spec.axes if axis.key in ("draw", "teacher.seed")}
    assert spec.objective.seeds * math.prod(again.values()) >= 5


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PUBLISHED])
def test_a_preset_compares_alphas_with_labels_alone_over_at_least_five_seeds(name: str) -> None:
    spec = load_spec(name)
    assert spec.objective.seeds >= 5
    (alphas,) = (axis.values for axis in spec.axes if axis.key == "alpha")
    assert {0, 1} <= set(alphas)
    assert spec.base.extend or (alphas[0], alphas[-1]) == (0, 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_quick_size_is_the_same_study_made_small(name: str) -> None:
    full, quick = load_spec(name), load_spec(name, quick=True)
    assert {axis.key.split(".")[0] for axis in quick.axes} == {axis.key.split(".")[0] for axis in full.axes}
    assert quick.size < full.size / 5
    assert quick.base.dataset == full.base.dataset
    assert quick.base.noise.kind == full.base.noise.kind


@pytest.mark.presets
@pytest.mark.parametrize("name", NAMES)
def test_every_preset_runs_at_its_quick_size_to_an_answer_and_a_page(
    name: str, tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "cifar10" and not any((data_dir / file).exists() for file in ("cifar10.npz", "cifar10-images.tar.xz")):
        pytest.skip("no CIFAR-10 beside mnist.npz")
    spec, folder = load_spec(name, quick=True), tmp_path / name
    for words in (
        ["run", name, "--quick", "--out", str(folder), "--data-dir", str(data_dir)],
        ["report", str(folder)],
        ["publish", str(folder), "--to", str(tmp_path / "pages")],
        ["answer", str(folder), "--format", "json"],
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert not ended.value.code, capsys.readouterr().err
    answer = json.loads(capsys.readouterr().out)
    assert answer["students"] == {"planned": spec.size, "missing": 0, "diverged": 0}
    assert bool(answer["trends"]) == (len([axis for axis in spec.axes if len(axis.values) > 1]) > 1)
    page = (tmp_path / "pages" / f"{name}.md").read_text()
    assert page.startswith(f"# {spec.objective.question}\n\n**Answer.** ")
    assert yaml.safe_load(page.split("```yaml\n")[1].split("```")[0]) == json.loads(json.dumps(spec.to_mapping()))
