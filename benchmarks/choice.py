"""What a choice of alpha costs where validation labels are wrong: regret by what chose, over studies of many kinds.

    python benchmarks/choice.py develop --out DIR     # the half on which the robust choice was developed
    python benchmarks/choice.py unseen --out DIR      # the half that was read once, at the end
    python benchmarks/choice.py demo --out DIR        # the demo, with twenty fresh draws of its labels

Regret: the mean test metric of the best alpha less that of the alpha chosen from ONE seed's validation labels; the mean
over seeds, in points. Both means are over all seeds of the study. `clean labels` is the same choice by accuracy on the
validation labels before they were made wrong: what no user has, and the least that a choice from so few examples costs.
Studies are kept in the folder, and the same command again only reads them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from distillab.analysis import analyse
from distillab.analysis.choice import choice_of
from distillab.analysis.curves import AlphaCurve, alpha_curves, chosen_alpha
from distillab.api.study import Study
from distillab.data.catalogue import load
from distillab.report.results import Results
from distillab.study.spec import Spec, load_spec
from distillab.study.splits import split

ALPHAS = [0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1]
DRAWS, SEEDS = 20, 10
NAMES = ("metric", "likelihood", "agreement", "robust", "clean labels")

STRONG = {"model": "cnn-128-256", "epochs": 10}
WEAK = {"model": "cnn-32-64", "epochs": 10}  # on 1,212 digits: 85 % right
SMALL = {"model": "cnn-32-64", "epochs": 20, "learning_rate": 0.003}  # 97 %
FEATURES = {"model": "mlp-256-128", "epochs": 30}
TAGS = {"model": "resnet-8-16-32", "epochs": 8}


def drifting(most: float) -> list[list[float]]:
    """A noise matrix: class k is given as k + 2, the more often the larger k."""
    matrix = np.eye(10)
    for label in range(10):
        wrong = round(min(most * label / 4.5, 0.45), 6)
        matrix[label, label] -= wrong
        matrix[label, (label + 2) % 10] += wrong
    return matrix.round(6).tolist()


def study(dataset: str, kind: str, rates: list[float], teacher: dict[str, Any], labels: str, **more: Any) -> Any:
    noise: dict[str, Any] = {"kind": kind, "rate": rates}
    if kind == "matrix":
        noise = {"kind": kind, "matrix": drifting(rates[0])}
    share = more.pop("share", 0.1)
    return {
        "dataset": dataset, "noise": noise, "teacher": {**teacher, "labels": labels}, "alpha": ALPHAS,
        "validation": {"share": share, "labels": "noisy"}, "learning_rate": 0.003, **more,
    }  # fmt: skip


def digits(kind: str, rates: list[float], teacher: dict[str, Any], labels: str = "clean", **more: Any) -> Any:
    model = more.pop("student", "cnn-8-16")
    return study("digits", kind, rates, teacher, labels, student={"model": model}, seeds=12, epochs=20, **more)


def cancer(kind: str, rates: list[float], teacher: dict[str, Any], labels: str = "clean") -> Any:
    more: dict[str, Any] = {"batch_size": 16, "learning_rate": 0.005, "share": 0.25, "metric": "accuracy"}
    return study("breast_cancer", kind, rates, teacher, labels, student={"model": "mlp-8"}, seeds=20, epochs=40, **more)


def images(name: str, size: int, share: float, kind: str, rates: list[float], labels: str, **teacher: Any) -> Any:
    convolutional = size in (4000, 10000)
    model, epochs = ("cnn-8-16", 10) if convolutional else ("mlp-32", 15)
    teacher = {"model": "cnn-32-64", **teacher}
    training: dict[str, Any] = {"seeds": 6 if convolutional else 8, "epochs": epochs, "train_size": size}
    return study(name, kind, rates, teacher, labels, student={"model": model}, share=share, **training)


def tags(rates: list[float], labels: str) -> Any:
    training: dict[str, Any] = {"seeds": 4, "epochs": 8, "train_size": 2000, "share": 0.2}
    return study("digits-multilabel", "one_sided", rates, TAGS, labels, student={"model": "resnet-4-8-16"}, **training)


STUDIES: dict[str, dict[str, Any]] = {
    "develop": {
        "digits shift": digits("shift", [0, 0.1, 0.2, 0.4], STRONG, student="cnn-16-32"),
        "digits symmetric": digits("symmetric", [0.3], STRONG),
        "digits margin": digits("margin", [0.2], STRONG),
        "digits shift, teacher of the same labels": digits("shift", [0.2], STRONG, "noisy", student="cnn-16-32"),
        "digits shift, weak teacher": digits("shift", [0, 0.1, 0.2, 0.4], WEAK, student="cnn-16-32"),
        "digits symmetric, weak teacher": digits("symmetric", [0.15, 0.3], WEAK),
        "digits margin, weak teacher": digits("margin", [0.1, 0.2], WEAK),
        "digits shift, weak teacher of the same labels": digits("shift", [0.3], WEAK, "noisy", student="cnn-16-32"),
        "digits symmetric, weak teacher of the same labels": digits("symmetric", [0.3], WEAK, "noisy"),
        "digits pair, teacher near chance": digits("pair", [0, 0.3], {"model": "mlp-16", "epochs": 6}, share=0.33),
        "digits matrix, teacher of its own noisy labels": digits("matrix", [0.2], WEAK, "own"),
        "cancer symmetric": cancer("symmetric", [0, 0.1, 0.2, 0.4], FEATURES),
        "cancer symmetric, teacher of the same labels": cancer("symmetric", [0.2, 0.3], FEATURES, "noisy"),
        "cancer margin": cancer("margin", [0.1, 0.2], FEATURES),
        "mnist symmetric": images("mnist", 2500, 0.2, "symmetric", [0, 0.2, 0.4], "clean", epochs=5, train_size=10000),
        "mnist pair, weak teacher": images("mnist", 1000, 0.1, "pair", [0.2, 0.4], "clean", epochs=2),
        "mnist margin": images("mnist", 4000, 0.5, "margin", [0.1, 0.3], "clean", epochs=4),
        "mnist matrix, teacher of its own noisy labels": images("mnist", 2000, 0.5, "matrix", [0.25], "own", epochs=4),
    },
    "unseen": {
        "digits shift": digits("shift", [0, 0.1, 0.2, 0.4], SMALL, student="cnn-16-32"),
        "digits symmetric": digits("symmetric", [0.15, 0.3], SMALL),
        "digits margin": digits("margin", [0.1, 0.2], SMALL),
        "digits shift, teacher of the same labels": digits("shift", [0.2, 0.3], SMALL, "noisy", student="cnn-16-32"),
        "digits symmetric, teacher of the same labels": digits("symmetric", [0.3], SMALL, "noisy"),
        "cancer one-sided": cancer("one_sided", [0.2, 0.4], FEATURES),
        "cancer symmetric, weak teacher": cancer("symmetric", [0.3], {"model": "linear", "epochs": 2}),
        "mnist shift": images("mnist", 2500, 0.2, "shift", [0.2, 0.4], "clean", epochs=5, train_size=10000),
        "fashion symmetric": images(
            "fashion_mnist", 2500, 0.2, "symmetric", [0, 0.2, 0.4], "clean", epochs=5, train_size=10000
        ),
        "fashion shift, weak teacher": images("fashion_mnist", 1000, 0.1, "shift", [0.2, 0.4], "clean", epochs=2),
        "fashion pair, teacher of the same labels": images(
            "fashion_mnist", 10000, 0.5, "pair", [0.1, 0.3], "noisy", epochs=4
        ),
        "fashion margin": images("fashion_mnist", 4000, 0.5, "margin", [0.1, 0.3], "clean", epochs=4),
        "fashion matrix, teacher of its own noisy labels": images(
            "fashion_mnist", 2000, 0.5, "matrix", [0.25], "own", epochs=4
        ),
        "tags one-sided": tags([0, 0.3], "clean"),
        "tags one-sided, teacher of the same labels": tags([0.3], "noisy"),
    },
}


@click.command()
@click.argument("half", type=click.Choice([*STUDIES, "demo"]))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the studies are kept.")
@click.option("--only", default="", help="Studies whose name starts so.")
def main(half: str, out: Path, only: str) -> None:
    """Train the studies of a half, and print the regret of each way to choose."""
    if half == "demo":
        print("\n".join(demo(out / "demo")))
        return
    rows = []
    for name, of in STUDIES[half].items():
        if name.startswith(only):
            done, _ = Study.run(of, out / half / name.replace(", ", "-").replace(" ", "-"))
            for curve in alpha_curves(done.spec, done.results.trials, done.results.teachers):
                rows.append({"study": name, **regrets(curve, done.results)})
                print(_line(rows[-1]), file=sys.stderr, flush=True)
    record = {"half": half, "rows": rows, "mean": {of: float(np.nanmean([row[of] for row in rows])) for of in NAMES}}
    (out / f"{half}.json").write_text(json.dumps(record, indent=1) + "\n")
    print("\n".join(table(rows)))


def demo(out: Path) -> list[str]:
    """Whether the demo's chosen alpha is in its optimal range, for each of `DRAWS` runs with `SEEDS` of their own."""
    whole, each = _with_seeds(load_spec("demo"), SEEDS), SEEDS
    done, _ = Study.run(_with_seeds(whole, DRAWS * each), out)
    lines, inside = ["| draw | optimal range | by the metric | robust |", "|---|---|---|---|"], [0, 0]
    for draw in range(DRAWS):
        trials = [
            replace(trial, seed=trial.seed - draw * each)
            for trial in done.results.trials
            if draw * each <= trial.seed < (draw + 1) * each
        ]
        found = []
        for choose in ("metric", "robust"):
            spec = replace(whole, objective=whole.objective.model_copy(update={"choose": choose}))
            found.append(analyse(spec, trials, done.results.teachers, validation=done.results.validation).settings[0])
        ranges = found[0].optimal_range or ()
        chosen = [one.best.alpha for one in found if one.best is not None]
        inside = [count + (alpha in ranges) for count, alpha in zip(inside, chosen, strict=True)]
        marks = (f"{alpha:g}{'' if alpha in ranges else ' (outside)'}" for alpha in chosen)
        lines.append(f"| {draw + 1} | {', '.join(f'{alpha:g}' for alpha in ranges)} | {' | '.join(marks)} |")
    return [*lines, f"| inside | of {DRAWS} | {inside[0]} | {inside[1]} |"]


def _with_seeds(spec: Spec, seeds: int) -> Spec:
    return replace(spec, objective=spec.objective.model_copy(update={"seeds": seeds}))


def regrets(curve: AlphaCurve, results: Results) -> dict[str, Any]:
    """The regret of each way to choose in one setting, in points."""
    choice = choice_of(curve, "robust", results.validation)
    mean = 100 * curve.metric.sign * curve.test.mean(axis=0)
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for seed, scores in enumerate(_scores(curve, results)):
        sure = seed in choice.clean and choice.clean[seed].choose
        scores["robust"] = choice.robust[seed] if sure and choice.robust is not None else scores["metric"]
        for name, values in scores.items():
            found[name].append(float(mean.max() - mean[curve.alphas == chosen_alpha(curve.alphas, values)][0]))
    settings = curve.settings
    examples = next(len(results.validation.predictions[trial.id].labels) for trial in curve.trials)
    share = None if choice.share is None else [round(100 * end, 1) for end in choice.share[:3]]
    return {
        "noise": settings.noise.kind,
        "rate": settings.noise.rate,
        "validation": examples,
        "seeds": len(curve.seeds),
        "looks wrong": share,
        **{name: float(np.mean(values)) if values else float("nan") for name, values in found.items()},
    }


def _scores(curve: AlphaCurve, results: Results) -> Iterator[dict[str, Any]]:
    """For each seed the scores of every alpha by what needs no robust choice; more is better."""
    likelihood, agreement = -curve.table.values(("validation", "nll")), curve.table.values(("validation", "agreement"))
    data = load(curve.settings.dataset)
    clean = data.y_train[split(data, curve.settings).validation]
    probabilities = {
        (trial.seed, trial.alpha): results.validation.predictions[trial.id].probabilities for trial in curve.trials
    }
    for seed in range(len(curve.seeds)):
        scores = {
            "metric": curve.metric.sign * curve.validation[seed],
            "likelihood": likelihood[seed],
            "agreement": agreement[seed],
        }
        if clean.ndim == 1:
            decided = [probabilities[seed, alpha].argmax(axis=1) for alpha in curve.alphas.tolist()]
            scores["clean labels"] = np.array([(one == clean).mean() for one in decided])
        yield scores


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as a table in Markdown, with means, the largest loss to the metric, and how many lose more than 0.1."""
    lines = [f"| study | wrong | examples | looks wrong | {' | '.join(NAMES)} |", f"|{'---|' * (4 + len(NAMES))}"]
    lines += [_line(row) for row in rows]
    means = [f"**{np.nanmean([row[name] for row in rows]):.2f}**" for name in NAMES]
    lines.append(f"| mean of {len(rows)} | | | | {' | '.join(means)} |")
    worse = [[row[name] - row["metric"] for row in rows] for name in NAMES]
    lines.append(f"| most above the metric | | | | {' | '.join(f'{np.nanmax(each):.2f}' for each in worse)} |")
    lines.append(
        f"| more than 0.1 above it | | | | {' | '.join(str(int(np.sum(np.array(each) > 0.1))) for each in worse)} |"
    )
    return lines


def _line(row: dict[str, Any]) -> str:
    share = "" if row["looks wrong"] is None else "{} % ({} to {})".format(*row["looks wrong"])
    rate = "" if row["noise"] == "matrix" else f"{100 * row['rate']:g} %"
    values = ["" if np.isnan(row[name]) else f"{row[name]:.2f}" for name in NAMES]
    return f"| {row['study']} | {rate} | {row['validation']:,} | {share} | {' | '.join(values)} |"


if __name__ == "__main__":
    main()
