"""Docstrings of Python's standard library, labelled by topic: texts that every installation of Python has."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from distillab.data.dataset import Dataset
from distillab.data.labels import Labels
from distillab.data.splits import stratified_split
from distillab.data.text import RawTexts
from distillab.data.text_ids import WantedTokenizer, with_token_ids
from distillab.errors import RequestError

NAME = "stdlib_docs"

TOPICS: Mapping[str, str] = {
    "code": "abc annotationlib ast compileall copyreg dis distutils imp importlib inspect modulefinder opcode pkgutil "
    "py_compile pyclbr pydoc runpy site symtable sysconfig tabnanny token tokenize types typing venv zipapp zipimport",
    "concurrency": "_threading_local asynchat asyncio asyncore concurrent multiprocessing queue sched selectors signal "
    "subprocess threading",
    "containers": "_collections_abc _weakrefset bisect collections contextlib copy dataclasses difflib enum functools "
    "graphlib heapq operator pprint re reprlib string textwrap weakref",
    "files": "_pyio base64 binhex bz2 codecs compression configparser csv dbm filecmp fileinput fnmatch genericpath "
    " gettext glob gzip io json locale lzma ntpath os pathlib pickle pickletools plistlib posixpath quopri "
    "shelve shutil tarfile tempfile tomllib uu wave xdrlib xml zipfile",
    "interface": "argparse cmd code codeop curses getopt getpass optparse rlcompleter tkinter turtle webbrowser",
    "internet": "cgi cgitb email ftplib html http imaplib ipaddress mailbox mailcap mimetypes netrc nntplib poplib "
    "smtplib socket socketserver ssl telnetlib urllib uuid wsgiref xmlrpc",
    "numbers": "_pydatetime _pydecimal _strptime calendar colorsys datetime fractions hashlib hmac numbers random "
    "secrets statistics zoneinfo",
    "testing": "bdb cProfile doctest faulthandler linecache logging pdb profile pstats timeit trace traceback "
    "tracemalloc unittest warnings",
}
"""By topic its modules and packages, of every version of Python."""

SHORTEST = 5
"""Words of a docstring."""

SPLIT_SEED, TEST_SHARE = 0, 0.2


def stdlib_docs() -> Dataset:
    """Load the docstrings of the installed standard library, some 7,000 in 8 classes, as token ids.

    They differ between versions of Python, and so does the data set's digest.

    Raises:
        RequestError: the library `tokenizers`, or the standard library's source, is not installed.

    Note: docstrings of one module lie in both parts, so that a model may know the words of a module. Equal ones do not:
    each is kept once, and not at all if it stands in two topics. The split is fixed by `SPLIT_SEED`.
    """
    texts, labels = docstrings()
    train, test = stratified_split(labels, share=TEST_SHARE, rng=np.random.default_rng(SPLIT_SEED))
    rows = np.arange(len(texts), dtype=np.int32)[:, None]
    dataset = Dataset(NAME, rows[train], labels[train], rows[test], labels[test], tuple(TOPICS), 1.0)
    return with_token_ids(dataset, RawTexts(texts, lambda row: f"{NAME}: text {row}"), WantedTokenizer())


@cache
def docstrings() -> tuple[tuple[str, ...], Labels]:
    """The docstrings of the standard library and the numbers of their topics, in the order of files and lines.

    Returns:
        (texts with single spaces, class numbers of shape (N,)).

    Raises:
        RequestError: the standard library's source is not installed.
    """
    found: dict[str, set[int]] = {}
    for number, modules in enumerate(TOPICS.values()):
        for module in modules.split():
            for text in _docstrings_of(Path(sysconfig.get_path("stdlib")), module):
                found.setdefault(text, set()).add(number)
    kept = [(text, next(iter(numbers))) for text, numbers in found.items() if len(numbers) == 1]
    if len({number for _, number in kept}) < len(TOPICS):
        raise RequestError(f"{NAME} needs the source of Python's standard library, which is not installed here.")
    labels = np.array([number for _, number in kept], np.int32)
    labels.setflags(write=False)
    return tuple(text for text, _ in kept), labels


def _docstrings_of(library: Path, module: str) -> Iterator[str]:
    files = [library / f"{module}.py", *sorted((library / module).rglob("*.py"))]
    for file in files:
        if not file.is_file() or {"test", "tests", "idle_test"} & set(file.relative_to(library).parts):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in the library's own strings
            tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                words = (ast.get_docstring(node, clean=False) or "").split()
                if len(words) >= SHORTEST:
                    yield " ".join(words)
