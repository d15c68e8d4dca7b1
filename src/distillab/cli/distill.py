"""`distillab distill`: a small student from a user's model, with the evidence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from distillab.cli.options import execution_options, run_options
from distillab.errors import not_allowed

READING = (
    *("validation", "test", "label", "inputs", "text", "tokenizer", "vocabulary", "length"),
    *("ignore_class", "drop", "sample_weight", "class_weight"),
)


@click.command(short_help="Distil your own model: a small student, and whether distillation helped.")
@click.option("--teacher", "teachers", multiple=True, required=True, help="A trained model; several are averaged.")
@click.option(
    "--student", "students", multiple=True, required=True, help="A .keras file, module:function, cnn-16-32, or auto."
)
@click.option(
    "--data",
    required=True,
    help="An .npz, a table (.csv, .jsonl, .parquet), a folder of images or texts, or a name such as mnist.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option("--alpha", default="search", show_default=True, help="A number, 'search' or 'predicted'.")
@click.option("--temperature", default="search", show_default=True, help="A number or 'search'.")
@click.option(
    "--search", type=click.Choice(["grid", "optuna"]), default="grid", show_default=True, help="Search strategy."
)
@click.option("--trials", type=int, help="For optuna: candidates, and as many for the baseline.")
@click.option("--rounds", type=int, help="For grid: refinements.")
@click.option("--search-seeds", type=int, help="Trainings of each candidate.")
@click.option("--budget", help="Time for search and final trainings, such as 15m.")
@click.option("--seeds", type=int, help="Trainings of the final student and of its baseline.")
@click.option("--epochs", type=int, help="Passes over the data.")
@click.option("--batch-size", type=int, help="Examples a step.")
@click.option("--learning-rate", type=float, help="Fixed learning rate; otherwise searched.")
@click.option("--loss", multiple=True, help="The distillation loss, such as kl; for optuna, several to choose from.")
@click.option("--optimiser", help="adam, momentum or sgd.")
@click.option("--schedule", help="cosine, linear or constant.")
@click.option("--resample", type=int, help="Unlabelled rows to make from a table's training rows, for the teacher.")
@click.option("--shift", type=int, help="Shift images at random by up to so many pixels.")
@click.option("--flip", is_flag=True, help="Mirror images at random.")
@click.option(
    "--task",
    help="What outputs mean: categorical, binary, multilabel or regression; of several age=regression,income=binary; "
    "otherwise recognised.",
)
@click.option(
    "--output", "outputs", multiple=True, metavar="NAME: ...", help="Of one of several: 'age: alpha=0.5, weight=2'."
)
@click.option("--label-loss", help="The loss against labels, such as huber for regression.")
@click.option("--metric", help="Metric that chooses and judges, such as accuracy, auroc, map, mae or mean_iou.")
@click.option(
    "--choose",
    type=click.Choice(["metric", "robust"]),
    help="By the metric on the labels as they are, or by the likely clean ones where labels look wrong.",
)
@click.option("--size", help="For auto: bytes of weights (50KB) or a share of the teacher's (10%).")
@click.option("--latency", help="For auto: time for one example, such as 200us.")
@click.option("--flops", type=float, help="For auto: operations for one example.")
@click.option("--warm-start", is_flag=True, help="Start from the weights in the student's file.")
@click.option("--teacher-input", metavar="HxW", help="Resize images to this for the teacher.")
@click.option("--teacher-normalise", metavar="MEAN/SD", help="Then normalise them: imagenet, or such as 0.5/0.25.")
@click.option(
    "--teacher-layout", type=click.Choice(["nhwc", "nchw", "nhw", "flat"]), help="Layout of a foreign teacher's images."
)
@click.option("--teacher-classes", metavar="FILE", help="Names of the teacher's classes, one a line in their order.")
@click.option("--anyway", is_flag=True, help="Let a teacher teach that is at chance, or worse than a quick student.")
@click.option("--teacher-scale", type=click.Choice(["raw", "unit"]), help="Inputs as stored, or times 1/255.")
@click.option("--student-scale", type=click.Choice(["raw", "unit"]), help="The same for the student.")
@click.option("--image-size", metavar="HxW", help="Resize a folder's images to this.")
@click.option("--label", multiple=True, help="Label column of a table; of several outputs several times.")
@click.option(
    "--inputs", type=click.Choice(["images", "features", "series", "tokens"]), help="Of arrays; otherwise recognised."
)
@click.option("--text", metavar="COLUMN", help="Column of texts of a table; otherwise recognised.")
@click.option("--tokenizer", help="For texts: bpe (default) or wordpiece, trained here, or a tokenizer.json.")
@click.option("--vocabulary", type=int, help="Token ids of a trained tokenizer; 4,000 by default.")
@click.option("--length", type=int, help="Token ids of a text; by default enough for 95 % of them, at most 256.")
@click.option("--drop", metavar="COLUMN", multiple=True, help="Column of a table that is left out.")
@click.option("--sample-weight", metavar="COLUMN", help="Column of a table with the examples' weights.")
@click.option("--class-weight", type=click.Choice(["balanced"]), help="Let every class weigh the same in the loss.")
@click.option("--ignore-class", type=int, help="A label that means 'none here', such as 255 in maps.")
@click.option(
    "--validation",
    type=float,
    default=0.1,
    show_default=True,
    help="Fraction of the training data used for validation.",
)
@click.option("--test", type=float, default=0.2, show_default=True, help="Fraction of the data kept for the test.")
@click.option("--module", "modules", multiple=True, help="Python that defines the models' custom layers.")
@click.option("--trust", is_flag=True, help="Let code in model files run: only if you know who made them.")
@execution_options
def distill(
    teachers: tuple[str, ...],
    students: tuple[str, ...],
    data: str,
    out: Path,
    execution: dict[str, Any],
    **options: Any,
) -> None:
    """Train a small student from a teacher, find its alpha, say whether that helped, and keep it as student.keras.

    A teacher is a .keras file, a SavedModel folder, a folder of .keras files, module:function, an .npy of stored
    predictions, or a file of ONNX, TorchScript, torch.export, skops, XGBoost or LightGBM. The same command again
    continues from what is recorded.

    \b
    Examples:
      distillab distill --teacher teacher.keras --student mymodels.py:tiny_cnn --data flowers/ --out out
      distillab distill --teacher teacher.keras --student auto --size 10% --data train.npz --budget 15m --out out
    """
    reading = {name: options.pop(name) for name in READING}
    if image_size := options.pop("image_size"):
        reading["size"] = _sides("--image-size", image_size)
    settings = _settings(options)
    from distillab.search.request import request

    request(**settings)  # rejects wrong values before anything heavy is imported
    from distillab.cli.bar import Bar
    from distillab.cli.stop import Stop

    run = run_options(execution)
    from distillab.api.distill import distill as distil
    from distillab.data.reading import ReadOptions

    read = ReadOptions(data_dir=execution["data_dir"], **reading)
    with Bar() as bar, Stop(bar) as progress:
        models = list(teachers), list(students)
        result = distil(*models, data, out, read=read, options=run, progress=progress, **settings)
    click.echo(result.summary())
    beside = [f"{name}, " for name in ("tokenizer.json", "columns.json") if (out / name).is_file()]
    click.echo(f"{out} holds student.keras, {''.join(beside)}model_card.md and answer.json.", err=True)


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request that were given."""
    from distillab.search.request import seconds

    options = {**options, "anyway": bool(options["anyway"])}  # from Python, a useless teacher is only warned of
    given = {name: value for name, value in options.items() if value not in (None, ())}
    losses = given.pop("loss", ())
    if losses:
        given |= {"loss": losses[0], "losses": losses if len(losses) > 1 else ()}
    for name in ("alpha", "temperature"):
        text = given.pop(name)
        if text == "predicted" and name == "alpha":
            given[name] = text
        elif text != "search":
            given[name] = _number(name, text)
    for name in ("budget", "latency"):
        if name in given:
            given[name] = seconds(given[name])
    if "outputs" in given:
        pairs = list(map(_output, given["outputs"]))
        given["outputs"] = dict(pairs)
        if len(given["outputs"]) < len(pairs):
            raise not_allowed("--output", [name for name, _ in pairs], "given once for each output")
    if "teacher_classes" in given:
        from distillab.models.class_names import read_class_names

        given["teacher_classes"] = read_class_names(Path(given["teacher_classes"]))
    if "teacher_input" in given:
        given["teacher_input"] = _sides("--teacher-input", given["teacher_input"])
    return given


def _output(text: str) -> tuple[str, dict[str, float]]:
    """An output's name and what is stated of it, such as "age: alpha=0.5, weight=2"."""
    name, colon, stated = text.partition(":")
    values = dict[str, float]()
    for pair in stated.split(","):
        key, _, value = (part.strip() for part in pair.partition("="))
        if not (colon and name.strip()) or key not in ("alpha", "weight") or key in values:
            raise not_allowed("--output", text, "a name with alpha, weight or both, such as 'age: alpha=0.5, weight=2'")
        try:
            values[key] = float(value)
        except ValueError as error:
            raise not_allowed("--output", text, f"with a number for {key}") from error
    return name.strip(), values


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        allowed = "a number, 'search' or 'predicted'" if name == "alpha" else "a number or 'search'"
        raise not_allowed(f"--{name}", text, allowed) from error


def _sides(name: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise not_allowed(name, text, "height x width, such as 224x224")
    return int(match[1]), int(match[2])
