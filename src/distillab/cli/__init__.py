"""The command line: parse, call the library, print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import errno
import shlex
import sys
import traceback

import click

from distillab import __version__
from distillab.cli.answer import answer
from distillab.cli.bench import bench
from distillab.cli.data import data
from distillab.cli.distill import distill
from distillab.cli.export import export
from distillab.cli.merge import merge
from distillab.cli.publish import publish
from distillab.cli.report import report
from distillab.cli.run import run
from distillab.cli.stop import Terminated, remembered_interrupts
from distillab.cli.studies import studies
from distillab.cli.theory import theory
from distillab.errors import DistillabError, in_one_line

INTERRUPTED, TERMINATED = 130, 143

WRONG_PATH = (errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
"""The system's errors for an invalid path; its other errors concern disks and permissions."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="distillab")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """A laboratory for knowledge distillation: how much should a student listen to the labels, and how much to
    the teacher?"""


for command in (run, answer, report, merge, publish, distill, export, data, studies, theory, bench):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 the work failed, 2 the request was wrong, 130 or 143 interrupted.

    Args:
        arguments: the words after `distillab`; by default those of the process.
    """
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        with remembered_interrupts():
            code = cli.main([word for word in given if word != "--debug"], "distillab", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:  # a group without a command: its message is the help
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        error.message = in_one_line(error.message)  # type: ignore[misc]  # click quotes some words as they are
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt, Terminated) as error:
        command = next((word for word in given if not word.startswith("-")), "")
        hint = f" Results so far are saved. To continue: {shlex.join(['distillab', *given])}"
        click.echo(f"distillab: interrupted.{hint if command in ('run', 'distill') else ''}", err=True)
        code = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has closed it
        sys.stderr.close()
        code = 1
    except Exception as error:  # the outermost frame reports any error in one line
        if debug:
            traceback.print_exc()
        code = _report(error, debug)
    sys.exit(code)


def _report(error: Exception, debug: bool) -> int:
    """Print an error and return the exit code."""
    if isinstance(error, DistillabError):
        click.echo(f"distillab: {error}", err=True)
        return error.exit_code
    text = in_one_line(" ".join(str(error).split())[:300])
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        click.echo("distillab: memory ran out. Use less data, a smaller batch_size, or fewer --devices.", err=True)
        return 1
    if isinstance(error, OSError) and error.strerror:  # a path or a disk that no command has checked
        path = f"{error.filename} cannot be used: " if error.filename else ""
        reason = in_one_line(path + error.strerror)
        click.echo(f"distillab: {reason}. Choose another path, or fix this one.", err=True)
        return 2 if error.errno in WRONG_PATH else 1
    hint = "" if debug else " This is a bug in distillab; run again with --debug to see where it happened."
    click.echo(f"distillab: {type(error).__name__}: {text}{hint}", err=True)
    return 1
