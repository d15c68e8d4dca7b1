"""The page: self-contained, escaped, the same bytes each time, and there however little there is to show."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from distillab.errors import RequestError, WorkError
from distillab.report.write import write_report
from distillab.study.folder import Folder

VOID = {"meta", "input", "br"}


def hump(alpha: float, seed: int) -> float:
    return 0.9 + 0.1 * alpha * (1 - alpha) + 0.001 * ((seed * 7 + round(alpha * 10)) % 5)


class Outline(HTMLParser):
    """Collects tags and checks that they close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.identities: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.identities += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.identities += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def store_study(folder: Folder, spec, trials, teachers) -> None:
    with folder.write(spec) as store:
        run = store.begin_run(
            "2026-01-01T00:00:00+00:00", {"command": "distillab run x", "commit": None, "data": {"digits": "ab12"}}
        )
        for teacher in teachers.values():
            store.add_teacher(teacher)
        store.add_cohort(trials, run=run, students=len(trials), examples=100, seconds=2.0)
        store.end_run(run, "2026-01-01T00:01:00+00:00")


def page_of(folder: Folder) -> str:
    write_report(folder)
    return folder.report.read_text(encoding="utf-8")


def outside_scripts(text: str) -> str:
    return re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.DOTALL)


def data_of(text: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    assert match
    return json.loads(match[1])


def test_whatever_the_study_calls_itself_is_escaped(rows, tmp_path):
    spec = rows.spec(question="<script>alert('x')</script> & more", dataset="<b>.npz")
    folder = Folder(tmp_path / "study")
    run = {"command": "run '<i>'", "commit": "<u>", "data": {"classes": ["<s>", "</script>"]}}
    with folder.write(spec) as store:
        store.begin_run("now", run)
    text = page_of(folder)
    assert text.count("<script") == 4  # the data, the library, and the two that feed it
    assert len(re.findall(r"</script", text)) == 4
    for raw in ("<i>", "<u>", "<b>", "<s>"):
        assert raw not in outside_scripts(text)
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more" in text
    assert data_of(text)["classes"] == ["<s>", "</script>"]


def test_nothing_is_fetched_and_the_policy_says_so(rows, tmp_path):
    spec = rows.spec(seeds=7)
    folder = Folder(tmp_path / "study")
    store_study(folder, spec, rows.trials(spec, hump), rows.teachers())
    write_report(folder)
    text = folder.report.read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    assert parts["img-src"] == "data:"
    assert "unsafe" not in parts["script-src"]
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert parts["script-src"] == " ".join(f"'sha256-{digest}'" for digest in digests)
    bare = outside_scripts(text)
    assert not re.search(r"(?:src|href)=\"(?!#)", bare)
    assert "url(http" not in text
    assert "@import" not in bare
    outline = Outline(bare)
    assert not outline.open
    assert {"header", "nav", "main", "footer", "section", "figure", "table"} <= set(outline.tags)
    assert len(outline.identities) == len(set(outline.identities))
    assert str(tmp_path) not in text


def test_the_report_is_written_whole_and_the_same_each_time(rows, tmp_path):
    spec = rows.spec(seeds=7)
    folder = Folder(tmp_path / "study")
    store_study(folder, spec, rows.trials(spec, hump), rows.teachers())
    paths = write_report(folder)
    assert [path.relative_to(folder.path).as_posix() for path in paths] == [
        "figures/accuracy_vs_alpha.png",
        "figures/accuracy_vs_alpha.svg",
        "figures/learning_curves.png",
        "figures/learning_curves.svg",
        "answer.json",
        "report.html",
    ]
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_report(folder)] == first
    tree = json.loads(folder.answer.read_text(encoding="utf-8"))
    assert [setting["kind"] for setting in tree["settings"]] == ["supported"]
    assert "ab12" in folder.report.read_text(encoding="utf-8")
    assert not list(folder.figures.glob(".*"))


@pytest.mark.parametrize("done", [0, 1, 4])
def test_a_study_hardly_begun_still_has_a_report(rows, tmp_path, done):
    spec = rows.spec()
    folder = Folder(tmp_path / "study")
    store_study(folder, spec, rows.trials(spec, hump)[:done], rows.teachers() if done else {})
    write_report(folder)
    assert f"{9 - done} missing" in folder.report.read_text(encoding="utf-8")


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(RequestError, match="holds no study"):
        write_report(Folder(tmp_path))


def test_what_cannot_be_written_is_reported_in_one_line(rows, tmp_path):
    spec = rows.spec()
    folder = Folder(tmp_path / "study")
    store_study(folder, spec, [], {})
    folder.figures.write_text("in the way")
    with pytest.raises(WorkError, match="cannot be written") as caught:
        write_report(folder)
    assert "\n" not in str(caught.value)
