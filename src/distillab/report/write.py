"""The report's files, each written in full or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from distillab.analysis import alpha_curves, answer
from distillab.errors import WorkError
from distillab.files import replace_file
from distillab.report.figures import (
    accuracy_figure,
    across_figure,
    denoising_figure,
    house_style,
    learning_figure,
    predicted_figure,
    render,
)
from distillab.report.page import page
from distillab.report.payload import study_payload
from distillab.report.results import Results, read_results
from distillab.study.folder import Folder

FORMS: tuple[Literal["png", "svg"], ...] = ("png", "svg")


def write_report(folder: Folder) -> tuple[Path, ...]:
    """Write a study's figures, answer and page into its folder.

    Args:
        folder: of a study, finished or not.

    Returns:
        The files: see `study_files`.

    Raises:
        RequestError: the folder holds no study.
        WorkError: a file cannot be written.
    """
    files = study_files(folder, read_results(folder))
    write_files(files)
    return tuple(files)


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files, each in full or not at all.

    Raises:
        WorkError: a file cannot be written.
    """
    for path, content in files.items():
        try:
            replace_file(path, lambda place, content=content: place.write_bytes(content))  # type: ignore[misc]
        except OSError as error:
            raise WorkError(f"{error.filename or path} cannot be written: {error.strerror or error}.") from error


def study_files(folder: Folder, results: Results) -> dict[Path, bytes]:
    """Draw a study's figures and write its answer and page, in memory.

    Args:
        folder: of a study, finished or not.
        results: what it holds.

    Returns:
        Contents by place: the accuracy figure first (PNG, SVG), then the learning curves; where the study has another
        axis, how the answer moves along it; where labels are wrong, what becomes of them; where the ends were kept,
        what they predict; `answer.json` and `report.html`.
    """
    spec, trials, teachers = results.spec, results.trials, results.teachers
    curves = alpha_curves(spec, trials, teachers)
    found = answer(spec, trials, teachers, classes=results.classes, answers=results.answers, curves=curves)
    files: dict[Path, bytes] = {}
    with house_style():
        figures = {
            "accuracy_vs_alpha": accuracy_figure(curves, found),
            "learning_curves": learning_figure(curves, found),
        }
        if found.across:
            figures["alpha_across"] = across_figure(found.across, found.measure)
        if found.denoising:
            figures["denoising"] = denoising_figure(found.denoising)
        if found.predicted:
            figures["predicted"] = predicted_figure(found.predicted)
        for name, figure in figures.items():
            for form in FORMS:
                files[folder.figures / f"{name}.{form}"] = render(figure, form)
    files[folder.answer] = (json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n").encode()
    files[folder.report] = page(results, found, study_payload(results, curves, found)).encode()
    return files
