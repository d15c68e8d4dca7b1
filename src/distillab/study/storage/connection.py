"""Opening study.db: its identity and schema, recovery after a killed writer, and SQLite's errors in plain words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from distillab.errors import MAKE_SPACE, RequestError, WorkError
from distillab.study.storage.schema import ADDED, APPLICATION_ID, EARLIER_ID, SCHEMA, VERSION

PATIENCE = 30.0
"""Seconds that readers and writers wait for each other."""


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a study's file.

    Args:
        path, read_only: as in `Store`.

    Raises:
        RequestError: the file is missing, corrupt, of another schema, or not distillab's.
        WorkError: the file cannot be opened or written.
    """
    if path.exists() and not path.is_file():
        raise RequestError(f"{path} is not a file. Move it away, or choose another folder with --out.")
    if read_only and not path.exists():
        raise RequestError(f"{path.parent} holds no study: {path.name} is missing. Run 'distillab run' first.")
    with sqlite_errors(path):
        connection = _recovered(path) if read_only else _opened(path, "rwc")
        try:
            if not read_only:
                connection.execute("PRAGMA synchronous = EXTRA")  # recorded cohorts survive a loss of power
            _check(path, connection, create=not read_only)
            if not read_only:
                connection.execute("PRAGMA journal_mode = DELETE")  # in case another program has changed it
        except BaseException:  # an interrupt too must not leave the file open
            connection.close()
            raise
    return connection


def refuse_earlier(path: Path) -> None:
    """Refuse a file that an earlier version of distillab wrote; its folder's other files may not be readable either.

    Args:
        path: the file; it may be missing.

    Raises:
        RequestError: the file has an earlier schema.
    """
    try:  # through SQLite: closing any other handle of the file would drop the locks that this process has on it
        with closing(sqlite3.connect(address(path, "ro"), uri=True, timeout=0)) as connection:
            _check_schema(path, connection)
    except sqlite3.Error:  # a missing, locked or corrupt file: `connect` reports it
        return


def address(path: Path, mode: str) -> str:
    """The file's URI for SQLite.

    Args:
        path, mode: the file, and `ro`, `rw` or `rwc`.
    """
    return f"{path.resolve().as_uri()}?mode={mode}"


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Report SQLite's errors in one line that says what to do.

    Args:
        path: the file in use.

    Raises:
        WorkError: SQLite cannot do its work, for example on a full disk.
        RequestError: the file is corrupt.
    """
    try:
        yield
    except sqlite3.ProgrammingError:  # a bug, and not the file's state
        raise
    except sqlite3.OperationalError as error:
        raise WorkError(f"{path} cannot be used: {error}. {_advice(path, error)}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # SQLite's own message may not be UTF-8
        raise corrupt(path, error, "corrupt or not a distillab study") from error


def corrupt(path: Path, reason: object, kind: str = "corrupt") -> RequestError:
    """The error for a file with content that distillab does not write.

    Args:
        path, reason, kind: the file, what is wrong, and a word for its state.
    """
    text = " ".join(str(reason).split())[:200].rstrip(".")
    return RequestError(
        f"{path} is {kind}: {text}. Restore a backup, or run the study again in a new folder with --out."
    )


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(address(path, mode), uri=True, isolation_level=None, timeout=PATIENCE)


def _recovered(path: Path) -> sqlite3.Connection:
    """Open a file for reading; roll back first what a killed writer left unfinished."""
    try:
        return _read_once(_opened(path, "ro"))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
    try:
        _read_once(_opened(path, "rw")).close()  # SQLite rolls back at the first read
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        raise WorkError(
            f"{path} holds an interrupted write, and its folder is read-only, so that the write cannot be rolled back. "
            f"Copy the whole folder {path.parent} to a writable place, and read it there."
        ) from error
    return _read_once(_opened(path, "ro"))


def _read_once(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection, *, create: bool) -> None:
    """Refuse a file of another program or schema; create the tables of a new one."""
    application, version = _check_schema(path, connection)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    if tables and path.stat().st_size % page:  # SQLite itself would read zeros for the missing bytes
        raise sqlite3.DatabaseError("its last page is cut short")
    if application == 0 and tables == 0 and create:
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
    elif application == 0 and tables == 0:
        raise RequestError(f"{path} is empty: its content is lost. Restore a backup, or delete it to start again.")
    elif application != APPLICATION_ID:
        raise RequestError(f"{path} is not a distillab study. Choose another folder with --out.")
    elif 1 <= version < VERSION:
        _bring_up(connection, version, write=create)
    elif version != VERSION:
        raise RequestError(
            f"{path} has schema {version}, and this distillab reads schema {VERSION}. Install a newer distillab, or "
            "choose another folder with --out."
        )


def _bring_up(connection: sqlite3.Connection, version: int, *, write: bool) -> None:
    """Add the tables that an older file lacks: in the file, or, for reading, beside it and empty."""
    for later, (table, columns) in ADDED.items():
        if later > version:
            connection.execute(f"CREATE {'' if write else 'TEMP '}TABLE IF NOT EXISTS {table} {columns}")
    if write:
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _check_schema(path: Path, connection: sqlite3.Connection) -> tuple[int, int]:
    """The file's application and schema; an earlier schema is refused."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == EARLIER_ID:
        raise RequestError(
            f"{path} was written by an earlier version of distillab (schema {version}; this one reads schema "
            f"{VERSION}). Run the study again in a new folder with --out."
        )
    return application, version


def _advice(path: Path, error: sqlite3.OperationalError) -> str:
    """What to do about an error of SQLite's."""
    code = error.sqlite_errorcode
    if code == sqlite3.SQLITE_READONLY_DBMOVED or not path.exists():
        return "It was moved or deleted while in use, or its folder was. Put it back, and give the command again."
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return MAKE_SPACE
    if code & 0xFF == sqlite3.SQLITE_BUSY:
        return f"Another program has locked it for {PATIENCE:g} s. Close that, and give the command again."
    return "Check the disk's space and the folder's permissions."
