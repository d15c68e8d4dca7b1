"""Two inputs, two outputs: distilled from a Keras model, a function and stored predictions; alpha of one is fixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from distillab import Distillation, ReadOptions, distill, read_data, store_predictions
from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.export import export_model
from distillab.export.outputs import only, outputs_of_model

N = 240
QUICK: dict[str, Any] = {"seeds": 2, "search_seeds": 1, "epochs": 1, "rounds": 0, "temperature": 2.0}
QUICK["learning_rate"] = 0.01
STATED = ReadOptions(task={"age": "regression", "income": "binary"})


def two_by_two(width: int, *, trained: bool = False) -> keras.Model:
    """Reads `body` and `extra`, gives income as a probability and age in years."""
    keras.utils.set_random_seed(width)
    inputs = {"body": keras.Input((4,), name="body"), "extra": keras.Input((2,), name="extra")}
    x = keras.layers.Concatenate()([inputs["body"], inputs["extra"]])
    x = keras.layers.Dense(width, activation="tanh")(x)
    income = keras.layers.Dense(1, activation="sigmoid", name="income")(x)
    age = keras.layers.Dense(1)(x)
    age = keras.layers.Rescaling(10.0, 40.0)(age) if trained else age
    return keras.Model(inputs, {"income": income, "age": age}, name=f"two_by_two_{width}")


@pytest.fixture(scope="module")
def examples() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    x = {"body": rng.normal(size=(N, 4)).astype(np.float32), "extra": rng.normal(size=(N, 2)).astype(np.float32)}
    age = (40 + 10 * x["body"][:, 0] + rng.normal(size=N)).astype(np.float32)
    income = (x["extra"][:, 0] + 0.5 * rng.normal(size=N) > 0).astype(np.float64)
    age[:5], income[5:9] = np.nan, np.nan  # some examples have one label of two
    return x, {"age": age, "income": income}


@pytest.fixture(scope="module")
def teacher(examples: tuple[Any, Any]) -> keras.Model:
    x, y = examples
    known = ~np.isnan(y["age"]) & ~np.isnan(y["income"])
    model = two_by_two(16, trained=True)
    model.compile(keras.optimizers.Adam(0.02), {"income": "binary_crossentropy", "age": "mse"})
    model.fit({k: v[known] for k, v in x.items()}, {k: v[known] for k, v in y.items()}, epochs=15, verbose=0)
    return model


@pytest.fixture(scope="module")
def distilled(
    teacher: keras.Model, examples: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> Distillation:
    out = tmp_path_factory.mktemp("outputs") / "out"
    return distill(teacher, two_by_two(4), examples, out, outputs={"age": {"alpha": 0.5, "weight": 2}}, **QUICK)


def test_every_output_is_compared_and_the_verdict_is_on_their_score(distilled: Distillation) -> None:
    verdict = distilled.finding["verdict"]
    assert verdict["metric"] == "score"
    assert {"score", "age.r2", "age.mae", "income.auroc", "income.accuracy"} <= set(verdict["student"])
    score = (2 * verdict["teacher"]["age.r2"] + verdict["teacher"]["income.auroc"]) / 3
    assert verdict["teacher"]["score"] == pytest.approx(score)
    assert {row[0] for row in distilled.view.quality.rows} == {"all", "age", "income"}
    assert "age has weight 2 and its own alpha = 0.5" in distilled.text()


def test_the_alpha_of_one_output_is_searched_while_the_others_is_fixed(distilled: Distillation) -> None:
    alphas = {one["alpha"] for one in distilled.finding["candidates"] if one["distilled"]}
    assert alphas == {0.0, 0.25, 0.5, 0.75, 1.0}
    stated = {output["name"]: (output["alpha"], output["weight"]) for output in distilled.finding["data"]["outputs"]}
    assert stated == {"age": (0.5, 2.0), "income": (None, 1.0)}


def test_the_shipped_student_gives_its_outputs_as_the_users_does(distilled: Distillation, examples: Any) -> None:
    x, y = examples
    given = distilled.student.predict(x, verbose=0)
    assert set(given) == {"age", "income"}
    assert given["age"].shape == given["income"].shape == (N, 1)
    assert ((given["income"] > 0) & (given["income"] < 1)).all()
    assert 20 < given["age"].mean() < 60  # in years
    assert np.nanmean(np.abs(given["age"][:, 0] - y["age"])) < 20


def test_its_onnx_has_an_output_each_judged_alone(distilled: Distillation, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert distilled.folder is not None
    exported = export_model(distilled.folder / "student.keras", to="onnx", out=tmp_path / "s.onnx")
    assert {name: judged.quality.metric for name, judged in exported.outputs.items() if judged.quality} == {
        "age": "mae",
        "income": "auroc",
    }
    assert all(judged.agreement.within_rounding for judged in exported.outputs.values())
    session = onnxruntime.InferenceSession(str(tmp_path / "s.onnx"))
    assert {one.name for one in session.get_outputs()} == {"age", "income"}
    with pytest.raises(RequestError, match=r"ONNX of 8 bits is written of models of one output, .* 2 \(income, age\)"):
        only(outputs_of_model(distilled.student), "ONNX of 8 bits")


def test_the_page_and_the_card_tell_of_every_output(distilled: Distillation) -> None:
    assert distilled.folder is not None
    card = distilled.card()
    assert "It returns 2 outputs" in card
    assert "age: real numbers in the labels' unit" in card
    assert "income: the probability of '1'" in card
    page = next(path for path in distilled.report() if path.suffix == ".html").read_text(encoding="utf-8")
    assert "mean score of the outputs" in page
    assert json.loads((distilled.folder / "answer.json").read_text())["data"]["task"] == "several"


def as_function(model: keras.Model, form: str) -> Any:
    def predict(x: dict[str, np.ndarray]) -> Any:
        given = {name: np.asarray(of) for name, of in model(x).items()}
        if form == "mapping":
            return given
        listed = [given["age"], given["income"]]
        return listed if form == "list" else np.concatenate([listed[0], np.log(listed[1] / (1 - listed[1]))], axis=1)

    return predict


@pytest.mark.parametrize("form", ["mapping", "list", "packed"])
def test_a_function_teaches_the_same_in_every_form(form: str, teacher: keras.Model, examples: Any) -> None:
    from distillab.study.model_options import ModelOptions
    from distillab.study.reading_teachers import read_teachers

    dataset = read_data(examples, STATED)
    inputs = dataset.x_train[:20]
    (own,), (other,) = (read_teachers([of], dataset, ModelOptions()) for of in (teacher, as_function(teacher, form)))
    np.testing.assert_allclose(other.predict(inputs), own.predict(inputs), atol=1e-4)


def test_packed_predictions_teach_from_a_file(teacher: keras.Model, examples: Any, tmp_path: Path) -> None:
    from distillab.study.model_options import ModelOptions
    from distillab.study.reading_teachers import read_teachers

    dataset = read_data(examples, STATED)
    packed = as_function(teacher, "packed")
    rows = np.concatenate([dataset.x_train, dataset.x_test])
    store_predictions(tmp_path / "p.npy", rows, packed({name: rows[name] for name in ("body", "extra")}))
    (own,), (stored,) = (read_teachers([of], dataset, ModelOptions()) for of in (teacher, tmp_path / "p.npy"))
    np.testing.assert_allclose(stored.predict(dataset.x_test), own.predict(dataset.x_test), atol=1e-4)


def renamed(model: keras.Model) -> keras.Model:
    return keras.Model(model.input, {"wealth": model.output["income"], "age": model.output["age"]}, name="renamed")


def test_what_does_not_fit_is_refused_in_one_sentence(teacher: keras.Model, examples: Any) -> None:
    x, y = examples
    with pytest.raises(RequestError, match="names its outputs wealth, age, and the data name theirs age, income"):
        distill(teacher, renamed(two_by_two(4)), examples)
    with pytest.raises(RequestError, match=r"has 2 outputs .*and the data have labels of one"):
        distill(teacher, two_by_two(4), (x, y["income"]))
    with pytest.raises(RequestError, match=r"There is no output 'agee'\. Did you mean 'age'"):
        distill(teacher, two_by_two(4), examples, outputs={"agee": {"alpha": 0.5}})
    with pytest.raises(RequestError, match=r"outputs\.age\.alpha=1\.5 is not allowed: it must be at most 1"):
        distill(teacher, two_by_two(4), examples, outputs={"age": {"alpha": 1.5}})
    with pytest.raises(RequestError, match="alpha='predicted' is not allowed"):
        distill(teacher, two_by_two(4), examples, alpha="predicted")
    with pytest.raises(RequestError, match="task='regression' is not allowed: it must be stated for each output"):
        distill(teacher, two_by_two(4), examples, task="regression")
    single = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    flat = np.concatenate([x["body"], x["extra"]], axis=1)
    with pytest.raises(RequestError, match=r"has 1 output \(unnamed\), and the data have 2 \(age, income\)"):
        distill(lambda inputs: np.zeros((len(inputs), 2)), single, (flat, y), read=STATED)
    with pytest.raises(RequestError, match="'auto' is not for data of several outputs"):
        distill(lambda inputs: np.zeros((len(inputs), 2)), "auto", (flat, y), size="50KB", read=STATED)
    with pytest.raises(
        RequestError, match=r"gives one output of shape \(3,\), and the data have several \(age, income\)"
    ):
        distill(lambda inputs: np.zeros((len(inputs), 3)), "mlp-4", (flat, y), read=STATED)


def test_maps_are_no_outputs_of_several(examples: Any) -> None:
    inputs = keras.Input((8, 8, 1))
    maps = keras.Model(inputs, {"map": keras.layers.Conv2D(2, 1)(inputs), "age": keras.layers.Flatten()(inputs)})
    with pytest.raises(RequestError, match=r"Output 'map' .* must be one prediction an example each"):
        distill(maps, maps, (np.zeros((20, 8, 8, 1)), {"map": np.zeros((20, 8, 8)), "age": np.zeros(20)}))


def test_a_student_of_the_zoo_gets_an_output_each(examples: Any) -> None:
    x, y = examples
    flat = np.concatenate([x["body"], x["extra"]], axis=1)
    data = read_data((flat, y), STATED)
    assert isinstance(data, Dataset)

    def teach(inputs: np.ndarray) -> dict[str, np.ndarray]:
        return {"age": 40 + 10 * inputs[:, 0], "income": 1 / (1 + np.exp(-3 * inputs[:, 4]))}

    result = distill(teach, "mlp-4", data, alpha=0.5, metric="income.accuracy", **QUICK)
    assert result.finding["verdict"]["metric"] == "income.accuracy"
    assert result.finding["verdict"]["over_both"]["gain"]["cases"] == np.isfinite(data.y_test[:, 1]).sum()
    assert set(result.student.predict(flat[:3], verbose=0)) == {"age", "income"}
