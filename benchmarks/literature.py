"""The literature, reproduced: which published effects do runs of the presets `literature-*` find again?

    distillab run literature-lopez-paz --yes --out runs/lopez-paz      (and so on, with --set for a smaller scale)
    python benchmarks/literature.py FOLDER... > docs/results/literature.md

Each folder is a run of one of the presets, whole or reduced by `--set`; folders joined by commas are one run. Published
numbers stand below, with their source; every other number of the page is read from the folders. One rule judges all
claims: `distillab.stats.replication`.
"""

from __future__ import annotations

import itertools
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from distillab.report.results import Results, read_results
from distillab.stats import Replication, replication
from distillab.study.folder import Folder
from distillab.study.spec import load_spec, presets

WHOLE = 60_000
"""Training examples of MNIST."""

TESTED = 10_000
"""Test examples of MNIST and of CIFAR-10."""

ASIDE = ("seeds", "question", "metric", "margin")
"""Keys of a study that say how often and how it is looked at, not what is trained."""

Row = Mapping[str, Any]
"""A trained student or teacher: settings by dotted key, `seed`, and `test`, `validation` and `agreement` in percent."""


class Run(NamedTuple):
    """The runs of one preset."""

    preset: str
    students: list[Row]
    teachers: list[Row]
    departures: list[str]
    """Settings in which they differ from the preset, in words; more or fewer values of an axis are none."""
    diverged: int
    commands: list[str]
    """Without the folder's name."""
    machines: list[str]
    """Where they ran, in words."""


@dataclass(frozen=True)
class Claim:
    """A published claim and how a run shows it.

    Args:
        text: what is claimed.
        published: the published numbers, in words.
        effect: the effect in each independent repetition of a run.
        size: the published effect, in the unit of `effect`; 0 where only its direction is published.
        unit: of the effect.
        repeated: what a repetition is.
        direction, within: as in `replication`.
    """

    text: str
    published: str
    effect: Callable[[Run], list[float]]
    size: float
    unit: str
    repeated: str
    direction: int | None = None
    within: float | None = None


@dataclass(frozen=True)
class Paper:
    """A publication, its presets and its claims by preset.

    Args:
        title, source: of the publication.
        protocol: what is published of how it was done.
        differs: where the presets differ from it, or fill in what is not published.
        claims: by preset.
        tables: by preset, header and rows of published and measured numbers.
    """

    title: str
    source: str
    protocol: str
    differs: str
    claims: Mapping[str, Sequence[Claim]]
    tables: Mapping[str, Callable[[Run], tuple[Sequence[str], list[Sequence[str]]]]] = field(default_factory=dict)


# --- reading ---


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def preset_of(results: Results) -> str:
    """The preset whose question a run asks."""
    for name in presets():
        if name.startswith("literature-") and load_spec(name).objective.question == results.spec.objective.question:
            return name
    raise SystemExit(f"No preset of the literature asks {results.spec.objective.question!r}.")


def departures(results: Results, preset: str) -> list[str]:
    ours, theirs = (dict(flat(spec.to_mapping())) for spec in (results.spec, load_spec(preset)))
    found = []
    for key in ours:
        mine, published = ours[key], theirs.get(key)
        values = published if isinstance(published, list) else [published]
        if key not in ASIDE and any(value not in values for value in (mine if isinstance(mine, list) else [mine])):
            found.append(f"`{key}` {shown(mine)} instead of {shown(published)}")
    return found


def shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def read(path: str) -> Run:
    results = read_results(Folder(path))
    preset = preset_of(results)
    students, teachers = [], []
    for trial in results.trials:
        if not trial.metrics:
            continue
        row = dict(flat(trial.settings)) | {"seed": trial.seed}
        row |= {part: 100 * trial.metrics[part, "accuracy"] for part in ("test", "validation")}
        row["agreement"] = 100 * trial.metrics["test", "agreement"]
        row["errors"] = TESTED - round(TESTED * trial.metrics["test", "accuracy"])
        row["confusion"] = results.confusions.get(trial.id)
        row["taught by"] = 100 * results.teachers[trial.teacher].metrics["accuracy"]
        students.append(row)
    for teacher in results.teachers.values():
        accuracy = teacher.metrics["accuracy"]
        settings = {f"teacher.{key}": value for key, value in teacher.settings.items()}
        teachers.append(settings | {"test": 100 * accuracy, "errors": TESTED - round(TESTED * accuracy)})
    diverged = sum(trial.diverged_epoch is not None for trial in results.trials)
    commands = [re.sub(r" --out \S+", "", str(run.get("command", ""))) for run in results.runs]
    machines = [machine_of(run) for run in results.runs]
    return Run(preset, students, teachers, departures(results, preset), diverged, commands, machines)


def machine_of(run: Mapping[str, Any]) -> str:
    machine, versions = run.get("machine", {}), run.get("versions", {})
    named = ", ".join(f"{name} {versions.get(name)}" for name in ("keras", "jax"))
    return f"{machine.get('cores')} cores ({machine.get('platform')}), {named}, numerics {run.get('numerics')}"


def together(runs: Sequence[Run]) -> Run:
    """Several folders of one preset as one run."""
    first = runs[0]
    joined = [list(itertools.chain.from_iterable(part)) for part in zip(*(run[1:4] for run in runs), strict=True)]
    distinct = list(dict.fromkeys(joined[2]))
    commands, machines = ([text for run in runs for text in run[part]] for part in (5, 6))
    return Run(first.preset, joined[0], joined[1], distinct, sum(run.diverged for run in runs), commands, machines)


# --- effects ---


def matching(rows: Sequence[Row], conditions: Mapping[str, Any]) -> list[Row]:
    """Rows of some settings; a set or a list of values means any of them."""

    def fits(value: Any, wanted: Any) -> bool:
        return value in wanted if isinstance(wanted, (tuple, list)) else value == wanted

    return [row for row in rows if all(fits(row[key], wanted) for key, wanted in conditions.items())]


def means(rows: Sequence[Row], what: str, by: str) -> dict[Any, float]:
    """Means of a number over the rows of each repetition."""
    values: dict[Any, list[float]] = {}
    for row in rows:
        values.setdefault(row[by], []).append(row[what])
    return {key: statistics.fmean(part) for key, part in values.items()}


def differences(
    rows: Sequence[Row], what: str, first: Mapping[str, Any], second: Mapping[str, Any], by: str = "seed"
) -> list[float]:
    """First less second, paired by repetition."""
    a, b = (means(matching(rows, conditions), what, by) for conditions in (first, second))
    return [a[key] - b[key] for key in sorted(a) if key in b]


def threes(run: Run) -> list[float]:
    """Test images of a 3 that students recognise that saw none, uncorrected, by seed."""
    rows = matching(run.students, {"alpha": 0.1, "transfer.correction": "none"})
    return [float(row["confusion"][3][3]) for row in sorted(rows, key=lambda row: row["seed"])]


def chosen_temperature(rows: Sequence[Row], smoothing: float) -> float:
    """The temperature with the best validation accuracy for the students of one kind of teacher."""
    of = matching(rows, {"teacher.label_smoothing": smoothing, "alpha": 0.1})
    validation = means(of, "validation", "temperature")
    return float(max(validation, key=lambda temperature: validation[temperature]))


def smoothed_less_plain(run: Run) -> list[float]:
    """Test error of the students of smoothed teachers less that of plain ones, in points, paired by teacher's seed."""
    plain, smooth = (
        {"teacher.label_smoothing": s, "alpha": 0.1, "temperature": chosen_temperature(run.students, s)}
        for s in (0.0, 0.1)
    )
    return differences(run.students, "test", plain, smooth, "teacher.seed")


def better_than_teacher(run: Run) -> list[float]:
    rows = matching(run.students, {"transfer.size": WHOLE})
    students, teachers = means(rows, "test", "teacher.seed"), means(rows, "taught by", "teacher.seed")
    return [students[seed] - teachers[seed] for seed in sorted(students)]


def closer_with_more(run: Run) -> list[float]:
    sizes = sorted({row["transfer.size"] for row in run.students})
    first, last = {"transfer.size": sizes[-1]}, {"transfer.size": sizes[0]}
    return differences(run.students, "agreement", first, last, "teacher.seed") if len(sizes) > 1 else []


def imitation(loss: str, size: int) -> Callable[[Run], list[float]]:
    def gain(run: Run) -> list[float]:
        of = {"loss": loss, "train_size": size, "temperature": 10.0}
        return differences(run.students, "test", {**of, "alpha": 0.5}, {**of, "alpha": 1.0}, "draw")

    return gain


def fades(run: Run) -> list[float]:
    return [
        few - many
        for few, many in zip(imitation("unmatched", 333)(run), imitation("unmatched", 556)(run), strict=False)
    ]


# --- published numbers ---

# Test accuracy of the student in ten repetitions, by samples and temperature, for lambda = 0 (labels alone) and 0.5:
# figures/result_mnist_300 and result_mnist_500 of github.com/lopezpaz/distillation_privileged_information.
LOPEZ_PAZ: dict[tuple[int, int], tuple[list[float], list[float]]] = {
    (300, 1): (
        [0.515, 0.403, 0.44, 0.453, 0.434, 0.563, 0.346, 0.477, 0.39, 0.43],
        [0.506, 0.477, 0.431, 0.395, 0.445, 0.456, 0.363, 0.336, 0.559, 0.525],
    ),
    (300, 10): (
        [0.465, 0.456, 0.45, 0.521, 0.543, 0.446, 0.47, 0.4, 0.524, 0.517],
        [0.586, 0.639, 0.607, 0.569, 0.606, 0.619, 0.492, 0.641, 0.576, 0.596],
    ),
    (500, 1): (
        [0.618, 0.619, 0.641, 0.464, 0.53, 0.565, 0.554, 0.62, 0.622, 0.515],
        [0.569, 0.67, 0.7, 0.575, 0.549, 0.582, 0.619, 0.56, 0.691, 0.543],
    ),
    (500, 10): (
        [0.557, 0.576, 0.564, 0.576, 0.601, 0.541, 0.555, 0.55, 0.594, 0.517],
        [0.766, 0.639, 0.716, 0.721, 0.721, 0.673, 0.745, 0.749, 0.704, 0.674],
    ),
}
LOPEZ_PAZ_TEACHERS = {
    300: [0.81, 0.781, 0.8, 0.785, 0.793, 0.816, 0.802, 0.805, 0.815, 0.799],
    500: [0.843, 0.842, 0.844, 0.823, 0.82, 0.839, 0.83, 0.856, 0.827, 0.842],
}
SAMPLES = {333: 300, 556: 500}
"""What a tenth of validation examples leaves of `train_size`."""


def published_gain(samples: int) -> float:
    labels, imitated = LOPEZ_PAZ[samples, 10]
    return 100 * (statistics.fmean(imitated) - statistics.fmean(labels))


# --- tables ---


def spread(values: Sequence[float], digits: int = 1) -> str:
    """A mean, and the range over repetitions."""
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def over(run: Run, what: str, by: str = "seed", **conditions: Any) -> list[float]:
    """Means of each repetition; `__` in a key stands for its dot."""
    rows = matching(run.students, {key.replace("__", "."): value for key, value in conditions.items()})
    return list(means(rows, what, by).values())


def hinton_table(run: Run) -> tuple[Sequence[str], list[Sequence[str]]]:
    return ("test errors of 10,000", "published", "measured, mean and range of the seeds"), [
        ("teacher, 2x1200", "67", spread([row["errors"] for row in run.teachers], 0)),
        ("student, 2x800, labels alone", "146", spread(over(run, "errors", alpha=1.0), 0)),
        ("student, 2x800, soft targets at T = 20", "74", spread(over(run, "errors", alpha=0.1), 0)),
    ]


def temperature_table(run: Run) -> tuple[Sequence[str], list[Sequence[str]]]:
    alone = over(run, "errors", alpha=1.0)
    rows: list[Sequence[str]] = [("labels alone", spread(alone, 0))] if alone else []
    for temperature in sorted({row["temperature"] for row in run.students}):
        errors = over(run, "errors", alpha=0.1, temperature=temperature)
        rows.append((f"soft targets at T = {temperature:g}", spread(errors, 0)))
    return ("student, 2x30", "test errors of 10,000, mean and range of the seeds"), rows


def withheld_table(run: Run) -> tuple[Sequence[str], list[Sequence[str]]]:
    rows: list[Sequence[str]] = []
    for correction, words, published in (
        ("none", "as trained", "206, 133 on the threes"),
        ("prior", "bias of 3 raised to the prior", "-"),
        ("test", "bias of 3 raised to fit the test set", "109, 14 on the threes"),
    ):
        of = {"alpha": 0.1, "transfer.correction": correction}
        found = matching(run.students, of)
        missed = [sum(row["confusion"][3]) - row["confusion"][3][3] for row in found]
        measured = f"{spread([row['errors'] for row in found], 0)}, {spread(missed, 0)} on the threes"
        rows.append((f"soft targets, {words}", published, measured))
    return ("test errors of 10,000", "published", "measured, mean and range of the seeds"), rows


def mueller_table(run: Run) -> tuple[Sequence[str], list[Sequence[str]]]:
    rows: list[Sequence[str]] = []
    for smoothing, words, teacher, student in ((0.0, "plain labels", 0.67, 0.74), (0.1, "smoothed labels", 0.59, 0.91)):
        T = chosen_temperature(run.students, smoothing)
        of = {"teacher.label_smoothing": smoothing, "alpha": 0.1, "temperature": T}
        own = [100 - row["test"] for row in matching(run.teachers, {"teacher.label_smoothing": smoothing})]
        taught = [100 - value for value in means(matching(run.students, of), "test", "teacher.seed").values()]
        rows.append((f"teacher of {words}", f"{teacher} %", f"{spread(own, 2)} %"))
        rows.append((f"its student (T = {T:g}, by validation)", f"{student} %", f"{spread(taught, 2)} %"))
    plain = [100 - value for value in over(run, "test", alpha=1.0)]
    if plain:
        rows.append(("student of labels alone", "-", f"{spread(plain, 2)} %"))
    return ("test error", "published", "measured, mean and range"), rows


def stanton_table(run: Run) -> tuple[Sequence[str], list[Sequence[str]]]:
    rows: list[Sequence[str]] = [("teacher", "200", spread([row["test"] for row in run.teachers]), "")]
    for size in sorted({row["transfer.size"] for row in run.students}):
        of = matching(run.students, {"transfer.size": size})
        test, agreement = (list(means(of, what, "teacher.seed").values()) for what in ("test", "agreement"))
        rows.append(("student", f"{size:,} less those held out", spread(test), spread(agreement)))
    return ("", "images", "test accuracy, %, mean and range of the teachers", "agreement with the teacher, %"), rows


def tutorial_table(run: Run) -> tuple[Sequence[str], list[Sequence[str]]]:
    return ("test accuracy, %", "measured, mean and range of the seeds"), [
        ("teacher", spread([row["test"] for row in run.teachers], 2)),
        ("student of labels alone", spread(over(run, "test", alpha=1.0), 2)),
        ("student of labels and teacher", spread(over(run, "test", alpha=0.75), 2)),
    ]


def lopez_paz_table(run: Run) -> tuple[Sequence[str], list[Sequence[str]]]:
    rows: list[Sequence[str]] = []
    for size, samples in SAMPLES.items():
        own = [row["taught by"] for row in matching(run.students, {"train_size": size})]
        teacher = 100 * statistics.fmean(LOPEZ_PAZ_TEACHERS[samples])
        rows.append(
            (f"{samples}", "teacher, 28x28", f"{teacher:.1f}", spread([statistics.fmean(own)] if own else []), "")
        )
        for T, alpha in ((1.0, 1.0), *((T, 0.5) for T in (1.0, 2.0, 5.0, 10.0, 20.0, 50.0))):
            theirs = LOPEZ_PAZ.get((samples, int(T)))
            published = "-" if theirs is None else f"{100 * statistics.fmean(theirs[0 if alpha == 1 else 1]):.1f}"
            words = "labels alone" if alpha == 1 else f"lambda = 0.5, T = {T:g}"
            of = {"train_size": size, "temperature": T, "alpha": alpha}
            both = [spread(over(run, "test", "draw", loss=loss, **of)) for loss in ("unmatched", "kl")]
            if both != ["-", "-"]:
                rows.append((f"{samples}", words, published, *both))
    head = ("samples", "student, 7x7", "published mean", "measured, the published loss", "measured, the corrected loss")
    return head, rows


PAPERS = (
    Paper(
        "Hinton, Vinyals and Dean 2015",
        "Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 3",
        "MNIST, 60,000 images. Teacher: 2x1200 ReLU with dropout and a constraint on weights, images jittered by up "
        "to two pixels. Students: 2x800 (or 2x30) ReLU without regularisation, soft targets at a temperature beside "
        "the labels.",
        "Not published: optimiser (here Adam at 0.001, cosine), length of training, the rate of dropout and the norm "
        "(here those of their reference, Hinton et al. 2012: 0.5 and 0.2, 15), the weight of the labels (here 0.1). "
        "1,200 images are held out for validation.",
        {
            "literature-hinton": [
                Claim(
                    "soft targets at T = 20 lower the errors of a 2x800 student",
                    "146 to 74: 72 fewer",
                    lambda run: differences(run.students, "errors", {"alpha": 1.0}, {"alpha": 0.1}),
                    72,
                    "errors of 10,000",
                    "student seeds",
                )
            ],
            "literature-hinton-temperature": [
                Claim(
                    "2x30: T of 2.5 to 4 errs less than higher temperatures (8 to 20)",
                    "no number",
                    lambda run: differences(
                        run.students,
                        "errors",
                        {"alpha": 0.1, "temperature": (8.0, 12.0, 20.0)},
                        {"alpha": 0.1, "temperature": (2.5, 3.0, 4.0)},
                    ),
                    0,
                    "errors of 10,000",
                    "student seeds",
                    direction=1,
                ),
                Claim(
                    "2x30: T of 2.5 to 4 errs less than lower temperatures (1 and 1.5)",
                    "no number",
                    lambda run: differences(
                        run.students,
                        "errors",
                        {"alpha": 0.1, "temperature": (1.0, 1.5)},
                        {"alpha": 0.1, "temperature": (2.5, 3.0, 4.0)},
                    ),
                    0,
                    "errors of 10,000",
                    "student seeds",
                    direction=1,
                ),
            ],
            "literature-hinton-withheld": [
                Claim(
                    "a student that saw no 3 recognises threes, of which labels alone would teach it none",
                    "877 of 1,010",
                    threes,
                    877,
                    "threes of 1,010",
                    "student seeds",
                ),
                Claim(
                    "raising the bias of 3 to fit the test set lowers its errors",
                    "206 to 109: 97 fewer",
                    lambda run: differences(
                        run.students,
                        "errors",
                        {"alpha": 0.1, "transfer.correction": "none"},
                        {"alpha": 0.1, "transfer.correction": "test"},
                    ),
                    97,
                    "errors of 10,000",
                    "student seeds",
                ),
            ],
        },
        {
            "literature-hinton": hinton_table,
            "literature-hinton-temperature": temperature_table,
            "literature-hinton-withheld": withheld_table,
        },
    ),
    Paper(
        "Müller, Kornblith and Hinton 2019",
        "When Does Label Smoothing Help?, NeurIPS 2019, arXiv:1906.02629, section 4",
        "MNIST, the networks of Hinton et al. 2015; the teacher's labels are plain or smoothed; hyperparameters are "
        "tuned.",
        "As above. Smoothing 0.1; the temperature (2, 5, 20) is chosen by validation accuracy for either kind of "
        "teacher, the weight of the labels is 0.1. They report single teachers; repetitions here are teachers.",
        {
            "literature-mueller": [
                Claim(
                    "a teacher of smoothed labels errs less",
                    "0.67 % to 0.59 %: 0.08 points",
                    lambda run: differences(
                        run.teachers,
                        "test",
                        {"teacher.label_smoothing": 0.1},
                        {"teacher.label_smoothing": 0.0},
                        "teacher.seed",
                    ),
                    0.08,
                    "points",
                    "teachers of each kind",
                ),
                Claim(
                    "its student errs more",
                    "0.74 % to 0.91 %: 0.17 points",
                    smoothed_less_plain,
                    0.17,
                    "points",
                    "teachers of each kind",
                ),
            ]
        },
        {"literature-mueller": mueller_table},
    ),
    Paper(
        "Stanton, Izmailov, Kirichenko, Alemi and Wilson 2021",
        "Does Knowledge Distillation Really Work?, NeurIPS 2021, arXiv:2106.05945, section 4.1, and its code "
        "(github.com/samuelstanton/gnosis)",
        "MNIST. LeNet-5 teachers of 200 images, 100 epochs; LeNet-5 students of the teacher alone (alpha = 0), of up "
        "to 60,000 images and of EMNIST. Appendix A.3 and the code: SGD with Nesterov momentum 0.9 at 0.05, decay "
        "0.0001, cosine, batches of 128, students for 300 epochs, T = 1 (the default of the code's loss).",
        "The same optimiser for the teachers, whose own is published for CIFAR alone. 1,200 images are held out: "
        "58,800 remain of 60,000. EMNIST is left out, so the largest transfer set is the 60,000.",
        {
            "literature-stanton": [
                Claim(
                    "a student of 60,000 images is as accurate as its teacher, within 2 points",
                    "teachers of 84 to 86 %; students differ by no more than trials do",
                    better_than_teacher,
                    0,
                    "points",
                    "teachers",
                    within=2,
                ),
                Claim(
                    "agreement with the teacher rises with the transfer set, from the least to the most images",
                    "a curve; over 99 % with EMNIST",
                    closer_with_more,
                    0,
                    "points",
                    "teachers",
                    direction=1,
                ),
            ]
        },
        {"literature-stanton": stanton_table},
    ),
    Paper(
        "PyTorch's tutorial 2023",
        "Chariton, Knowledge Distillation Tutorial, "
        "pytorch.org/tutorials/beginner/knowledge_distillation_tutorial.html",
        "CIFAR-10, DeepNN and LightNN, Adam at 0.001, 10 epochs, batches of 128, T = 2, soft targets weighted 0.25 and "
        "labels 0.75; single runs.",
        "Inputs are scaled to [0, 1], not standardised by ImageNet's mean and deviation; 1,000 images are held out.",
        {
            "literature-pytorch": [
                Claim(
                    "distillation gains test accuracy over labels alone",
                    "single runs, 0.3 to 0.4 points",
                    lambda run: differences(run.students, "test", {"alpha": 0.75}, {"alpha": 1.0}),
                    0.35,
                    "points",
                    "student seeds",
                )
            ]
        },
        {"literature-pytorch": tutorial_table},
    ),
    Paper(
        "Lopez-Paz, Bottou, Schölkopf and Vapnik 2016",
        "Unifying distillation and privileged information, ICLR 2016, arXiv:1511.03643, section 6, experiment 5, and "
        "its code and result files (github.com/lopezpaz/distillation_privileged_information)",
        "MNIST, 300 or 500 samples, ten draws. Teacher: 20-20 ReLU on 28x28 pixels; student: 20-20 on 7x7. From the "
        "code: RMSprop, 50 epochs, batches of 128, the loss `(1 - lambda) CE(y, softmax(z_s)) + lambda T^2 "
        "CE(softmax(z_t / T), softmax(z_s))`, in which the student is not softened.",
        "7x7 by the mean of 4x4 pixels (theirs: bilinear resizing). `kl`, the corrected loss, softens both sides. "
        "lambda = 1 - alpha. Published effects are means of the ten repetitions in their result files. 50 epochs are "
        "150 to 200 steps; a run of longer training shows what remains once students have learned their labels.",
        {
            "literature-lopez-paz": [
                *(
                    Claim(
                        f"{samples} samples, T = 10: imitation (lambda = 0.5) gains over labels alone, {words}",
                        f"{published_gain(samples):.1f} points",
                        imitation(loss, size),
                        published_gain(samples),
                        "points",
                        "draws",
                    )
                    for loss, words in (("unmatched", "with their loss"), ("kl", "with the corrected loss"))
                    for size, samples in SAMPLES.items()
                ),
                Claim(
                    "the gain of their loss shrinks from 300 to 500 samples",
                    "text: it does; result files: "
                    f"{published_gain(300):.1f} to {published_gain(500):.1f} points, it grows",
                    fades,
                    0,
                    "points",
                    "draws",
                    direction=1,
                ),
            ]
        },
        {"literature-lopez-paz": lopez_paz_table},
    ),
)


# --- the page ---

RULE = """One rule judges every claim (`distillab.stats.replication`). Of an effect, with the 95 % t interval of its
mean over repetitions: **not replicated** where the interval lies below half of the published effect; else
**replicated** where it lies above 0; else **cannot be told**. Of a claim of no effect beyond a margin:
replicated where the interval lies within it on both sides, not replicated where it lies outside. A run that
departs from the preset's training, models or data can replicate, and cannot refute: what would be "not
replicated" is then "cannot be told". Intervals are over the repetitions named, on the one test set that the
paper used; several claims are judged, and no correction is made for that."""


def judged(claim: Claim, run: Run) -> Replication | None:
    values = claim.effect(run)
    if not values:
        return None
    options = {"direction": claim.direction, "within": claim.within, "same_protocol": not run.departures}
    return replication(values, claim.size, **options)


def measured(claim: Claim, found: Replication | None) -> tuple[str, str]:
    if found is None:
        return "not run", "cannot be told"
    digits = 2 if claim.unit == "points" else 0
    mean, low, high, n = found.interval[:4]
    where = "no interval" if n < 2 else f"{low:+.{digits}f} to {high:+.{digits}f}"
    return f"{mean:+.{digits}f} {claim.unit} ({where}; {n} {claim.repeated})", f"**{found.verdict}**"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def scale_of(run: Run) -> str:
    departed = "; ".join(run.departures)
    scale = f"{departed}." if departed else "the preset's own training and data."
    lost = f" {run.diverged} students diverged, and are left out." if run.diverged else ""
    commands = "".join(f"\n\n    {command}" for command in dict.fromkeys(run.commands) if command)
    return f"Scale of this run of `{run.preset}`: {scale}{lost}{commands}"


def section(paper: Paper, runs: Sequence[Run]) -> str:
    parts = [f"## {paper.title}", f"{paper.source}.", f"Protocol: {paper.protocol}", f"Here: {paper.differs}"]
    for preset in paper.claims:
        of_preset = [run for run in runs if run.preset == preset]
        for run in of_preset:
            parts += [scale_of(run), table(*paper.tables[preset](run))]
        if not of_preset:
            parts.append(f"`{preset}` was not run.")
    return "\n\n".join(parts)


def summary(runs: Sequence[Run]) -> str:
    rows = []
    for paper in PAPERS:
        for preset, claims in paper.claims.items():
            of_preset: list[Run | None] = [run for run in runs if run.preset == preset]
            for run, claim in itertools.product(of_preset or [None], claims):
                effect, verdict = measured(claim, judged(claim, run) if run else None)
                scale = "-" if run is None else "departs" if run.departures else "the preset's"
                rows.append((paper.title, claim.text, claim.published, effect, scale, verdict))
    return table(("paper", "claim", "published", "measured (95 % interval)", "scale", "verdict"), rows)


def page(runs: Sequence[Run]) -> str:
    machines = "; ".join(dict.fromkeys(machine for run in runs for machine in run.machines))
    head = "# The literature, reproduced\n\nMade by `python benchmarks/literature.py` from the folders of runs"
    head += f" ({machines})." if machines else "."
    return "\n\n".join([head, RULE, summary(runs), *(section(paper, runs) for paper in PAPERS)]) + "\n"


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    runs = [together([read(path) for path in paths.split(",")]) for paths in sys.argv[1:]]
    sys.stdout.write(page(runs))


if __name__ == "__main__":
    main()
