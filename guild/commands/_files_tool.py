"""Programs that commands start for the user: to open, compare or page files. No shell reads a path."""

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from guild.errors import GuildError


def split_command(text: str, where: str) -> list[str]:
    """The words of a command line; `where` it was given, for the message. Raises GuildError."""
    try:
        words = shlex.split(text)
    except ValueError as e:
        raise GuildError(f"invalid command {text!r} of {where}: {str(e).lower()}") from None
    if not words:
        raise GuildError(f"the command of {where} is empty", "Give the name of a program.")
    return words


def run_program(
    argv: Sequence[str | Path],
    where: str,
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: int | None = None,
) -> int:
    """Run a program to its end on this terminal; its exit status, negative for a signal.

    `where` the program was named, for the message. Raises GuildError where it cannot be started.
    """
    sys.stdout.flush()
    try:
        return subprocess.run(argv, cwd=cwd, env=environ, stdin=stdin, check=False).returncode
    except FileNotFoundError:
        raise GuildError(f"cannot find '{argv[0]}', the command of {where}", "Is it installed?") from None
    except OSError as e:
        raise GuildError(f"cannot run '{argv[0]}', the command of {where}: {e.strerror or e}") from None
