"""The study file: one small mapping, checked once; a list makes an axis; every refusal names the key."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from distillab.errors import RequestError
from distillab.study.settings import SEARCH_KEYS, Objective, Settings
from distillab.study.spec import LARGEST_STUDY, Axis, Spec, load_spec, presets, read_spec, study_file

BASE: dict[str, Any] = {"dataset": "digits"}

EXTEND = "Set extend to true for alphas beyond 0 and 1."


def study(**keys: Any) -> Spec:
    return read_spec(BASE | keys)


@pytest.fixture
def overridden(tmp_path: Path) -> Callable[..., Spec]:
    """Writes a study file and reads it with overrides."""

    def read(*overrides: str, **keys: Any) -> Spec:
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(BASE | keys), encoding="utf-8")
        return load_spec(str(path), overrides)

    return read


# --- what a study says, and what it leaves to the defaults ---


def test_the_smallest_study_names_a_dataset_and_has_the_defaults() -> None:
    spec = study()
    assert spec.base == Settings(dataset="digits")
    assert spec.objective == Objective()
    assert spec.axes == ()
    assert spec.size == Objective().seeds
    (cell,) = spec.cells()
    assert cell.settings == spec.base
    assert cell.coordinates == {}


def test_a_group_keeps_the_defaults_of_the_keys_it_does_not_name() -> None:
    spec = study(teacher={"epochs": 7}, noise={"rate": 0.25})
    assert spec.base.teacher.epochs == 7
    assert spec.base.teacher.model == Settings(dataset="digits").teacher.model
    assert (spec.base.noise.kind, spec.base.noise.rate) == ("shift", 0.25)


def test_a_checked_study_cannot_be_changed() -> None:
    spec = study()
    with pytest.raises(ValueError, match="frozen"):
        spec.base.alpha = 0.1
    with pytest.raises(AttributeError, match="cannot assign"):
        spec.axes = ()  # type: ignore[misc]


# --- axes ---


def test_a_list_makes_an_axis_and_axes_are_crossed_in_the_order_of_the_settings() -> None:
    spec = study(temperature=[1, 3], alpha=[0, 0.5, 1], noise={"rate": [0, 0.1]}, seeds=4)
    assert spec.axes == (
        Axis("noise.rate", (0.0, 0.1)),
        Axis("alpha", (0.0, 0.5, 1.0)),
        Axis("temperature", (1.0, 3.0)),
    )
    assert spec.size == 2 * 3 * 2 * 4
    cells = list(spec.cells())
    assert [tuple(cell.coordinates.values()) for cell in cells] == list(
        itertools.product((0.0, 0.1), (0.0, 0.5, 1.0), (1.0, 3.0))
    )
    for cell in cells:
        assert cell.coordinates == {
            "noise.rate": cell.settings.noise.rate,
            "alpha": cell.settings.alpha,
            "temperature": cell.settings.temperature,
        }
    assert spec.base == cells[0].settings


def test_the_order_of_the_keys_in_the_file_changes_nothing() -> None:
    first = study(alpha=[0, 1], loss=["kl", "cross_entropy"], noise={"kind": ["shift", "pair"], "rate": [0, 0.1]})
    other = study(noise={"rate": [0, 0.1], "kind": ["shift", "pair"]}, loss=["kl", "cross_entropy"], alpha=[0, 1])
    assert [axis.key for axis in first.axes] == ["noise.kind", "noise.rate", "loss", "alpha"]
    assert first == other


def test_the_values_of_an_axis_keep_their_order() -> None:
    assert study(alpha=[1, 0, 0.5]).axes == (Axis("alpha", (1.0, 0.0, 0.5)),)


def test_a_transition_matrix_is_one_value_and_a_list_of_them_an_axis() -> None:
    none, some = [[1, 0], [0, 1]], [[0.75, 0.25], [0, 1]]
    first = study(noise={"kind": "matrix", "matrix": some})
    assert "noise.matrix" not in {axis.key for axis in first.axes}
    assert first.base.noise.matrix == ((0.75, 0.25), (0.0, 1.0))
    two = study(noise={"kind": "matrix", "matrix": [none, some]})
    assert [len(axis.values) for axis in two.axes if axis.key == "noise.matrix"] == [2]
    for spec in (first, two):
        assert read_spec(yaml.safe_load(spec.to_yaml())) == spec


def test_a_list_of_one_value_is_an_axis_of_one() -> None:
    spec = study(alpha=[0.5], seeds=2)
    assert spec.axes == (Axis("alpha", (0.5,)),)
    assert spec.size == 2


def test_teachers_can_be_listed_as_groups_each_filled_up_with_the_defaults() -> None:
    spec = study(
        teacher=[{"model": "mlp-8", "labels": "noisy"}, {"model": "mlp-8", "epochs": 9}], alpha=[0, 1], seeds=1
    )
    assert [axis.key for axis in spec.axes] == ["teacher", "alpha"]
    teachers = [cell.settings.teacher for cell in spec.cells()]
    assert [(teacher.labels, teacher.epochs) for teacher in teachers] == [
        *[("noisy", 3)] * 2,
        *[("clean", 9)] * 2,
    ]
    assert spec.base.teacher == teachers[0]


def test_one_key_of_the_teacher_can_be_an_axis() -> None:
    spec = study(teacher={"model": ["mlp-8", "mlp-16"], "epochs": 2})
    assert spec.axes == (Axis("teacher.model", ("mlp-8", "mlp-16")),)
    assert [cell.settings.teacher.model for cell in spec.cells()] == ["mlp-8", "mlp-16"]
    assert {cell.settings.teacher.epochs for cell in spec.cells()} == {2}


def test_all_examples_and_a_part_of_them_can_be_values_of_one_axis() -> None:
    assert study(train_size=[None, 100]).axes == (Axis("train_size", (None, 100)),)


# --- refusals ---

REFUSED: list[tuple[dict[str, Any], str]] = [
    # numbers out of range
    ({"alpha": 1.2}, f"alpha=1.2 is not allowed: it must be at most 1. {EXTEND}"),
    ({"alpha": -0.1}, f"alpha=-0.1 is not allowed: it must be at least 0. {EXTEND}"),
    ({"alpha": [0, 1.2]}, f"alpha=1.2 is not allowed: it must be at most 1. {EXTEND}"),
    ({"temperature": 0}, "temperature=0 is not allowed: it must be greater than 0."),
    ({"temperature": [3, -1]}, "temperature=-1 is not allowed: it must be greater than 0."),
    ({"seeds": 0}, "seeds=0 is not allowed: it must be at least 1."),
    ({"epochs": 0}, "epochs=0 is not allowed: it must be at least 1."),
    ({"batch_size": -32}, "batch_size=-32 is not allowed: it must be at least 1."),
    ({"train_size": 0}, "train_size=0 is not allowed: it must be at least 1."),
    ({"learning_rate": 0}, "learning_rate=0 is not allowed: it must be greater than 0."),
    ({"margin": 0}, "margin=0 is not allowed: it must be greater than 0."),
    ({"noise": {"rate": 1.5}}, "noise.rate=1.5 is not allowed: it must be at most 1."),
    ({"validation": {"share": 0}}, "validation.share=0 is not allowed: it must be greater than 0."),
    ({"validation": {"share": 0.6}}, "validation.share=0.6 is not allowed: it must be at most 0.5."),
    ({"teacher": {"seed": -1}}, "teacher.seed=-1 is not allowed: it must be at least 0."),
    # numbers that are none
    ({"alpha": True}, "alpha=True is not allowed: it must be a number, not a yes or no."),
    ({"alpha": [0, True]}, "alpha=True is not allowed: it must be a number, not a yes or no."),
    ({"seeds": True}, "seeds=True is not allowed: it must be a number, not a yes or no."),
    ({"teacher": {"epochs": True}}, "teacher.epochs=True is not allowed: it must be a number, not a yes or no."),
    ({"alpha": "half"}, "alpha='half' is not allowed: it must be a number."),
    ({"alpha": None}, "alpha=None is not allowed: it must be a number."),
    ({"alpha": float("nan")}, "alpha=nan is not allowed: it must be a finite number."),
    ({"temperature": float("inf")}, "temperature=inf is not allowed: it must be a finite number."),
    ({"epochs": 1.5}, "epochs=1.5 is not allowed: it must be a whole number."),
    ({"epochs": "many"}, "epochs='many' is not allowed: it must be a whole number."),
    ({"seeds": [1, 2]}, "seeds=[1, 2] is not allowed: it must be a whole number."),
    ({"alpha": {"value": 1}}, "alpha={'value': 1} is not allowed: it must be a number."),
    # words
    (
        {"loss": "mse"},
        "loss='mse' is not allowed: it must be one of 'kl', 'cross_entropy', 'reverse_kl', 'jensen_shannon', "
        "'generalised', 'logit_mse', 'decoupled', 'dist', 'standardised', 'teacher_free', 'unmatched', 'squared', "
        "'absolute', 'huber', 'bounded'. Did you mean 'logit_mse'?",
    ),
    (
        {"metric": "acc"},
        "There is no metric of task=categorical 'acc'. Did you mean 'accuracy'? Known: accuracy, agreement, "
        "balanced_accuracy, brier, ece, ece_width, f1_macro, f1_weighted, kl_to_teacher, mean_iou, nll, "
        "pixel_accuracy, precision_macro, precision_weighted, recall_macro, recall_weighted.",
    ),
    ({"schedule": "step"}, "schedule='step' is not allowed: it must be one of 'constant', 'cosine', 'linear'."),
    ({"optimiser": "lion"}, "optimiser='lion' is not allowed: it must be one of 'adam', 'sgd', 'momentum', 'rmsprop'."),
    (
        {"noise": {"kind": "salt"}},
        "noise.kind='salt' is not allowed: it must be one of 'shift', 'symmetric', 'pair', 'matrix', 'margin', "
        "'one_sided', 'additive', 'heavy_tailed'.",
    ),
    ({"teacher": {"labels": "all"}}, "teacher.labels='all' is not allowed: it must be one of 'clean', 'noisy', 'own'."),
    (
        {"teacher": {"epochs": 2, "snapshot": 2.5}},
        "teacher.snapshot=2.5 is not allowed: it must be at most teacher.epochs=2, the length of its training.",
    ),
    (
        {"epochs": 4, "snapshot": 5},
        "snapshot=5 is not allowed: it must be at most epochs=4, the length of the training.",
    ),
    (
        {"noise": {"kind": "matrix", "matrix": [[0.9, 0.2], [0, 1]]}},
        "sum(noise.matrix[0])=1.1 is not allowed: it must be 1: where the labels of that class go.",
    ),
    (
        {"noise": {"kind": "matrix", "matrix": [[1, 0], [1]]}},
        "noise.matrix[1]=[1.0] is not allowed: it must be 2 shares. The matrix has a row and a column for each class.",
    ),
    (
        {"noise": {"kind": "matrix"}},
        "noise.kind=matrix needs noise.matrix: for each class a row, the shares of its labels.",
    ),
    (
        {"noise": {"rate": 0.1, "matrix": [[1]]}},
        "noise.matrix is not allowed with noise.kind=shift. Set noise.kind to matrix.",
    ),
    (
        {"noise": {"kind": "matrix", "rate": 0.1, "matrix": [[1]]}},
        "noise.rate is not allowed with noise.kind=matrix, which holds the rates. Leave it out.",
    ),
    (
        {"transfer": {"size": 100}, "noise": {"rate": 0.1}, "teacher": {"labels": "noisy"}},
        "transfer is not allowed with teacher.labels=noisy: the teacher then trains on the students' labels and rows. "
        "Set teacher.labels to own.",
    ),
    (
        {"dataset": "breast_cancer", "transfer": {"withheld": 1}},
        "transfer.withheld is not allowed with task=binary: it withholds one of several classes. Leave it out.",
    ),
    (
        {"loss": "logit_mse", "label_loss": "squared", "metric": "brier", "teacher": {"label_smoothing": 0.1}},
        "teacher.label_smoothing is not allowed with task=categorical and label_loss=squared: it spreads the "
        "probability of one label. Leave it out.",
    ),
    (
        {"noise": {"kind": "margin", "rate": 0.1}, "teacher": {"labels": "noisy"}},
        "noise.kind=margin is not allowed with teacher.labels=noisy: the teacher says which labels to make "
        "wrong, so it cannot learn from them. Set teacher.labels to clean.",
    ),
    (
        {"dataset": ["digits", "mnist"]},
        "dataset=['digits', 'mnist'] is not allowed: it must be a single data set. Run a study for each of them, in a "
        "folder of its own.",
    ),
    (  # each value goes with the first of the other axis, but not all go together
        {"teacher": {"epochs": [3, 2], "snapshot": [1, 3]}},
        "teacher.snapshot=3.0 is not allowed: it must be at most teacher.epochs=2, the length of its training.",
    ),
    (
        {"metric": "nll", "loss": "logit_mse", "label_loss": "squared"},
        "metric='nll' is not allowed: it must be one that needs no probabilities with label_loss=squared. Outputs that "
        "estimate the labels are no probabilities: compare by accuracy or brier.",
    ),
    ({"dataset": 3}, "dataset=3 is not allowed: it must be a word."),
    ({"question": ["a", "b"]}, "question=['a', 'b'] is not allowed: it must be a word."),
    (
        {"student": {"model": "cnn"}},
        "student.model: model='cnn' is not allowed: it must be an architecture and its widths. For example cnn-16-32.",
    ),
    (
        {"teacher": {"model": ["mlp-8", "vgg-18"]}},
        "teacher.model: There is no architecture 'vgg'. Known: bag-of-embeddings, cnn, convnet, gru, lenet, "
        "linear, lstm, mlp, mobilenet, resnet, textcnn, transformer-encoder, unet, vit.",
    ),
    # groups and lists
    ({"teacher": "mlp-8"}, "teacher='mlp-8' is not allowed: it must be a group of keys and values."),
    ({"teacher": None}, "teacher=None is not allowed: it must be a group of keys and values."),
    ({"teacher": [{"model": "mlp-8"}, 3]}, "teacher=3 is not allowed: it must be a group of keys and values."),
    ({"teacher": [{"epochs": [1, 2]}]}, "teacher.epochs=[1, 2] is not allowed: it must be a whole number."),
    ({"alpha": []}, "alpha=[] is not allowed: it must be a value, or a list of at least one."),
    ({"noise": {"rate": []}}, "noise.rate=[] is not allowed: it must be a value, or a list of at least one."),
    ({"alpha": [[0, 1]]}, "alpha=[0, 1] is not allowed: it must be a number."),
    ({"alpha": [0, 0.5, 0.0]}, "alpha=[0, 0.5, 0.0] is not allowed: it must be a list without repetitions."),
    (
        {"teacher": [{"model": "mlp-8"}, {"model": "mlp-8", "labels": "clean"}]},
        "teacher=[{'model': 'mlp-8'}, {'model': 'mlp-8', 'labels': 'clean'}] is not allowed: "
        "it must be a list without repetitions.",
    ),
]


@pytest.mark.parametrize(("keys", "message"), REFUSED, ids=[str(keys) for keys, _ in REFUSED])
def test_a_wrong_value_is_refused_with_its_key_what_was_given_and_what_is_allowed(
    keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError) as refusal:
        study(**keys)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"alpah": 0.5}, "There is no key 'alpah'. Did you mean 'alpha'? Known: alpha, augmentation, batch_size"),
        ({"optimizer": "adam"}, "There is no key 'optimizer'. Did you mean 'optimiser'?"),
        ({"teacher": {"epoch": 3}}, "There is no key 'teacher.epoch'. Did you mean 'teacher.epochs'?"),
        ({"teacher": [{"model": "mlp-8"}, {"modle": "mlp-8"}]}, "There is no key 'teacher.modle'. Did you mean"),
        ({"noise": {"share": 0.1}}, "There is no key 'noise.share'."),
        ({"zzz": 1}, "There is no key 'zzz'. Known: "),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as refusal:
        study(**keys)
    assert str(refusal.value).startswith(message)


def test_a_key_that_is_no_word_is_refused() -> None:
    with pytest.raises(RequestError, match="There is no key '1'"):
        read_spec(BASE | {1: 2})


@pytest.mark.parametrize("tree", [None, [], ["dataset"], "dataset: digits", 3])
def test_what_is_no_mapping_is_no_study(tree: Any) -> None:
    with pytest.raises(RequestError, match=f"^mine is not a study: it holds {type(tree).__name__}"):
        read_spec(tree, source="mine")


def test_a_study_without_a_dataset_is_refused_with_what_to_do() -> None:
    with pytest.raises(RequestError, match=r"^mine names no dataset\. Add a line such as 'dataset: digits'\.$"):
        read_spec({"alpha": 0.5}, source="mine")


def test_a_study_of_too_many_trials_is_refused() -> None:
    assert study(seeds=LARGEST_STUDY // 2, alpha=[0, 1]).size == LARGEST_STUDY
    with pytest.raises(RequestError, match=r"has 1,500,000 trials, more than 1,000,000\. Shorten an axis\."):
        study(seeds=LARGEST_STUDY // 2, alpha=[0, 0.5, 1])


# --- to YAML and back ---

numbers = st.floats(0, 1)
teachers = st.fixed_dictionaries(
    {"model": st.sampled_from(["mlp-8", "cnn-4-8"])},
    optional={
        "labels": st.sampled_from(["clean", "noisy"]),
        "epochs": st.integers(1, 9),
        "seed": st.integers(0, 2**40),
    },
)


def one_or_several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3, unique_by=repr)


trees = st.fixed_dictionaries(
    {"dataset": st.sampled_from(["digits", "mnist", "./my data.npz", "no", "1e3", "null", ["digits"]])},
    optional={
        "question": st.text(st.characters(exclude_categories=["C"])),
        "alpha": one_or_several(numbers),
        "temperature": one_or_several(st.floats(1e-3, 1e3)),
        "learning_rate": one_or_several(st.floats(1e-9, 1)),
        "noise": st.fixed_dictionaries(
            {}, optional={"rate": one_or_several(numbers), "kind": one_or_several(st.sampled_from(["shift", "pair"]))}
        ),
        "teacher": teachers | st.lists(teachers, min_size=1, max_size=2),
        "train_size": one_or_several(st.none() | st.integers(1, 100)),
        "seeds": st.integers(1, 50),
        "margin": st.floats(1e-6, 1),
    },
)


@settings(deadline=None, max_examples=60)
@given(tree=trees)
def test_a_study_written_and_read_again_is_the_same_study(tree: dict[str, Any]) -> None:
    try:
        spec = read_spec(tree)
    except RequestError as refusal:  # two values that are equal once the defaults are filled in
        assume("without repetitions" not in str(refusal))
        raise
    assert read_spec(yaml.safe_load(spec.to_yaml())) == spec
    assert read_spec(spec.to_mapping()) == spec
    assert spec.differs_from(spec) == []
    assert spec.size == len(list(spec.cells())) * spec.objective.seeds


def test_what_is_written_names_every_key() -> None:
    tree = yaml.safe_load(study(alpha=[0, 1]).to_yaml())
    assert set(tree) == {*Objective.model_fields, *Settings.model_fields} - {*SEARCH_KEYS, "outputs"}
    assert tree["alpha"] == [0, 1]
    assert tree["teacher"]["model"] == "cnn-256-512"


# --- the difference of two studies ---


@pytest.mark.parametrize(
    ("first", "other", "keys"),
    [
        ({"alpha": [0, 1]}, {"alpha": [0, 0.5, 1]}, ["alpha"]),
        ({"alpha": [0, 1]}, {"alpha": [1, 0]}, ["alpha"]),
        ({}, {"teacher": {"epochs": 9}, "temperature": 1}, ["teacher.epochs", "temperature"]),
        ({"temperature": 3}, {"temperature": 3.0}, []),
        ({}, {"noise": {"kind": "shift"}}, []),  # a default that is spelled out
        ({"seeds": 3}, {"seeds": 30}, []),  # more seeds continue a study
        ({"question": "Why?"}, {"question": "How?", "metric": "f1_macro", "margin": 0.01}, []),  # how it is looked at
    ],
)
def test_two_studies_differ_in_what_was_trained(first: dict[str, Any], other: dict[str, Any], keys: list[str]) -> None:
    assert study(**first).differs_from(study(**other)) == keys
    assert sorted(study(**other).differs_from(study(**first))) == sorted(keys)


def test_a_group_and_a_list_of_groups_differ() -> None:
    first, other = study(teacher={"model": "mlp-8"}), study(teacher=[{"model": "mlp-8"}, {"model": "mlp-9"}])
    assert "teacher" in first.differs_from(other)


# --- overrides ---


@pytest.mark.parametrize(
    ("override", "keys"),
    [
        ("alpha=0.3", {"alpha": 0.3}),
        ("alpha=0,0.5,1", {"alpha": [0, 0.5, 1]}),
        ("alpha=[0, 1]", {"alpha": [0, 1]}),
        ("alpha=0.5,", {"alpha": [0.5]}),
        ("seeds=3", {"seeds": 3}),
        ("learning_rate=1e-3", {"learning_rate": 0.001}),
        ("noise.rate=0.2", {"noise": {"rate": 0.2}}),
        ("noise.rate=0,0.2", {"noise": {"rate": [0, 0.2]}}),
        ("noise={kind: pair, rate: 0.3}", {"noise": {"kind": "pair", "rate": 0.3}}),
        ("teacher.model=mlp-8,mlp-9", {"teacher": {"model": ["mlp-8", "mlp-9"]}}),
        ("train_size=null", {}),
        ("question=Why not?", {"question": "Why not?"}),
        ("question='Why, and how?'", {"question": "Why, and how?"}),
        ("dataset=a=b.npz", {"dataset": "a=b.npz"}),
    ],
)
def test_an_override_is_the_key_in_the_file(overridden, override: str, keys: dict[str, Any]) -> None:
    assert overridden(override) == study(**keys)


def test_an_override_replaces_one_key_and_leaves_the_rest_of_its_group(overridden) -> None:
    spec = overridden("noise.rate=0.2", noise={"kind": "pair", "rate": 0.1}, alpha=[0, 1])
    assert spec == study(noise={"kind": "pair", "rate": 0.2}, alpha=[0, 1])


def test_overrides_apply_in_order_and_the_last_one_wins(overridden) -> None:
    assert overridden("alpha=0.1", "seeds=2", "alpha=0.9") == study(alpha=0.9, seeds=2)


def test_an_override_of_a_listed_group_changes_every_one_of_them(overridden) -> None:
    teachers = [{"model": "mlp-8"}, {"model": "mlp-9", "epochs": 5}]
    expected = study(teacher=[{"model": "mlp-8", "epochs": 1}, {"model": "mlp-9", "epochs": 1}])
    assert overridden("teacher.epochs=1", teacher=teachers) == expected


def test_an_override_makes_a_dataset_for_a_file_without_one(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("alpha: 0.5")
    assert load_spec(str(path), ["dataset=digits"]) == study(alpha=0.5)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("alpha", r"^--set 'alpha' is not allowed: it must be KEY=VALUE, such as --set seeds=3\.$"),
        ("=3", r"^--set '=3' is not allowed: it must be KEY=VALUE"),
        ("", r"^--set '' is not allowed: it must be KEY=VALUE"),
        ("alpha=[0", r"^--set 'alpha=\[0' is not allowed: its value is not YAML: while parsing "),
        ("alpha=", r"^alpha=None is not allowed: it must be a number\.$"),
        ("alpha=yes", r"^alpha=True is not allowed: it must be a number, not a yes or no\.$"),
        ("alpha=1.2", rf"^alpha=1.2 is not allowed: it must be at most 1\. {EXTEND}$"),
        ("alpha=0,1.2", rf"^alpha=1.2 is not allowed: it must be at most 1\. {EXTEND}$"),
        ("temperature=0", r"^temperature=0 is not allowed: it must be greater than 0\.$"),
        ("seeds=0", r"^seeds=0 is not allowed: it must be at least 1\.$"),
        ("seeds=1,2", r"^seeds=\[1, 2\] is not allowed: it must be a whole number\.$"),
        ("alpah=1", r"^There is no key 'alpah'\. Did you mean 'alpha'\?"),
        ("nois.rate=1", r"^There is no key 'nois'\. Did you mean 'noise'\?"),
        ("noise.rat=1", r"^There is no key 'noise.rat'\. Did you mean 'noise.rate'\?"),
        ("seeds.many=3", r"^seeds=\{'many': 3\} is not allowed: it must be a whole number\.$"),
        ("teacher=mlp-8", r"^teacher='mlp-8' is not allowed: it must be a group of keys and values\.$"),
    ],
)
def test_a_wrong_override_is_refused(overridden, override: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        overridden(override)


# --- files and presets ---


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_a_study_and_says_at_its_top_what_it_asks_and_costs(name: str) -> None:
    spec = load_spec(name)
    assert spec.size > 1
    if not name.startswith("literature-"):  # these keep the protocol that was published
        assert {0.0, 1.0} <= set(next(axis.values for axis in spec.axes if axis.key == "alpha"))
    lines = study_file(name).read_text(encoding="utf-8").splitlines()
    comments = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert comments[0].endswith("?")
    assert any("Cost:" in line for line in comments)
    assert read_spec(spec.to_mapping()) == spec


def test_presets_can_be_overridden_and_stay_as_they_are() -> None:
    assert load_spec("demo", ["seeds=2"]).objective.seeds == 2
    assert load_spec("demo").objective.seeds != 2


def test_an_unknown_study_is_refused_with_the_nearest_preset() -> None:
    with pytest.raises(RequestError, match=r"There is no study 'dmeo'\. Did you mean 'demo'\? Known: .*demo"):
        load_spec("dmeo")


@pytest.mark.parametrize("name", ["missing.yaml", "missing.yml", "some/folder/study"])
def test_a_missing_file_is_refused_with_the_presets(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=rf"There is no study file '{name}'\. Give a YAML file, or a preset: .*demo"):
        load_spec(name)


def test_a_folder_is_no_study_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="There is no study file"):
        load_spec(str(tmp_path))


@pytest.mark.parametrize("content", [b"alpha: [0, 1", b"a: b: c", b"\xff\xfe\x00", b"\tx: 1", b"? {a: b}: 1"])
def test_a_file_that_is_not_yaml_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"study\.yaml is not a YAML file: ") as refusal:
        load_spec(str(path))
    assert "\n" not in str(refusal.value)


def test_an_empty_file_is_no_study_and_is_called_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("")
    with pytest.raises(RequestError, match=r"study\.yaml is not a study: it holds NoneType"):
        load_spec(str(path))


def test_a_fault_in_a_presets_override_is_the_users_and_names_the_key() -> None:
    with pytest.raises(RequestError, match=r"^alpha=7 is not allowed"):
        load_spec("demo", ["alpha=7"])


def test_a_quick_key_that_is_no_word_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("dataset: digits\nquick: {1: 2}\n")
    with pytest.raises(RequestError, match="There is no key '1'"):
        load_spec(str(tmp_path / "mine.yaml"), quick=True)


def test_a_group_that_contains_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "round.yaml"
    path.write_text("dataset: digits\nnoise: &noise {rate: *noise}\n")
    with pytest.raises(RequestError, match=r"^noise\.rate={'rate': .* is not allowed: it must be a number\.$"):
        load_spec(str(path))


def test_a_study_may_name_every_loss_there_is() -> None:
    from distillab.losses import LOSSES

    spec = read_spec({"dataset": "digits", "loss": sorted(LOSSES), "seeds": 1})
    assert [cell.settings.loss for cell in spec.cells()] == sorted(LOSSES)
    with pytest.raises(RequestError, match=r"loss.*'kll'"):
        read_spec({"dataset": "digits", "loss": "kll"})


def test_every_key_of_a_study_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "studies.md").read_text()
    documented = set(re.findall(r"`([\w.]+)`", text.split("## What is recorded")[0]))
    for key in _keys(read_spec({"dataset": "digits"}).to_mapping()):
        group, _, last = key.rpartition(".")
        assert key in documented or (group and f".{last}" in documented), key


def _keys(tree: dict[str, Any], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for key, value in tree.items():
        keys += _keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return keys


def test_every_label_loss_can_be_named() -> None:
    from distillab.losses import LABEL_LOSSES

    accepted = [read_spec({"dataset": "digits", "loss": "logit_mse", "label_loss": name}).base for name in LABEL_LOSSES]
    assert [settings.label_loss for settings in accepted] == list(LABEL_LOSSES)


def test_outputs_that_estimate_labels_are_not_softened() -> None:
    with pytest.raises(RequestError, match=r"label_loss=squared is not allowed with loss=kl.*Set loss to logit_mse"):
        read_spec({"dataset": "digits", "label_loss": "squared"})
