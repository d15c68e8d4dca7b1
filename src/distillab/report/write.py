"""The report's files, each written in full or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from distillab.analysis.curves import alpha_curves
from distillab.errors import RequestError, cannot_write
from distillab.io import replace_file
from distillab.report.charts.render import FORMS, render
from distillab.report.figures import study_charts
from distillab.report.page import study_page
from distillab.report.payload import study_payload
from distillab.report.results import Results, finding_of, read_results
from distillab.report.view import finding_json
from distillab.study.folder import Folder


def write_report(folder: Folder, out: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Write a study's figures (PNG, SVG), `answer.json` and page into its folder, or the page alone elsewhere.

    Args:
        folder: of a study, finished or not.
        out: the page's file instead, such as for a folder that cannot be written.

    Raises:
        RequestError: the folder holds no study.
        WorkError: a file cannot be written.
    """
    results = read_results(folder)
    curves = alpha_curves(results.spec, results.trials, results.teachers)
    finding = finding_of(results, curves)
    page = study_page(results, finding, study_payload(results, curves, finding)).encode()
    if out is not None:
        file = Path(out)
        write_files({file: page})
        return (file,)
    files = {
        folder.figures / f"{name}.{form}": render(chart, form)
        for name, chart in study_charts(curves, finding).items()
        for form in FORMS
    }
    files[folder.answer] = (json.dumps(finding_json(finding), indent=2, ensure_ascii=False) + "\n").encode()
    files[folder.report] = page
    write_files(files)
    return tuple(files)


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files, each in full or not at all.

    Args:
        files: contents by path.

    Raises:
        WorkError: a file cannot be written.
    """
    for path, content in files.items():
        try:
            replace_file(path, lambda part, content=content: part.write_bytes(content))  # type: ignore[misc]
        except OSError as error:
            raise cannot_write(path, error) from error


def check_folder(path: Path, name: str) -> None:
    """Refuse a path that cannot become a folder, before anything is written.

    Args:
        path: the folder, existing or not.
        name: the option that gave it, such as "--to".

    Raises:
        RequestError: the path or one of its parents is a file.
    """
    for parent in (path, *path.parents):
        if parent.exists():
            if not parent.is_dir():
                raise RequestError(f"{parent} is a file. Choose another folder with {name}.")
            return


def figures_as_png(results: Results) -> dict[str, bytes]:
    """Draw a study's figures, as PNG by name.

    Args:
        results: what the folder holds.
    """
    curves = alpha_curves(results.spec, results.trials, results.teachers)
    return {name: render(chart, "png") for name, chart in study_charts(curves, finding_of(results, curves)).items()}
