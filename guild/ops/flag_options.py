"""Flags from the options of a script: those that its argparse or click parser knows, asked in a child."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guild.ops.flag_globals import NoFlags
from guild.ops.opdef import Choice, FlagDef

TIME_LIMIT = 60.0  # seconds
_LOOK = 0.005


@dataclass(frozen=True)
class Options:
    """The flags, and the source files, modules of the script included, that they come from."""

    flags: tuple[FlagDef, ...]
    files: tuple[str, ...]


def ask(
    kind: str,
    script: Path,
    module: str,
    args: Sequence[str],
    *,
    path: Sequence[Path],
    python_exe: str,
    environ: Mapping[str, str],
    cwd: Path,
    time_limit: float = TIME_LIMIT,
) -> Options:
    """Run the script with `args` and `--help` until it parses its arguments (by `kind`: argparse or click).

    `path` comes first on its module path. Its output goes nowhere. Raises NoFlags.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="guild-flags-") as scratch:
        result, done, errors = Path(scratch, "result"), Path(scratch, "done"), Path(scratch, "errors")
        spec = {
            "kind": kind,
            "script": str(script),
            "module": module,
            "path": [str(p) for p in path],
            "args": list(args),
            "result": str(result),
            "done": str(done),
        }
        child = str(Path(__file__).with_name("_import_argparse.py"))
        env = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
        code = _run([python_exe, child, json.dumps(spec)], cwd, env, done, errors, time_limit)
        try:
            described = json.loads(result.read_bytes())
        except (OSError, ValueError):
            raise NoFlags(_why(code, errors, time_limit)) from None
    return Options(tuple(_flag(d) for d in described["flags"]), tuple(described["files"]))


def _run(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], done: Path, errors: Path, time_limit: float
) -> int | None:
    """Run a process until it ends, or the file `done` is there; None where it took too long. Raises NoFlags.

    It is not waited for after that: threads or handlers of the script may go on for long.
    """
    import signal
    import subprocess
    import time

    deadline = time.monotonic() + time_limit
    with open(errors, "wb") as err:
        try:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
                start_new_session=True,
            )
        except (OSError, ValueError) as e:
            raise NoFlags(f"{argv[0]}: {getattr(e, 'strerror', None) or e}") from None
    try:
        while process.poll() is None and not done.exists() and time.monotonic() < deadline:
            time.sleep(_LOOK)
        return process.poll() if time.monotonic() < deadline else None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with what it has started
            process.wait()


def _why(code: int | None, errors: Path, time_limit: float) -> str:
    """Why there is no result: the last line of what the script had to say."""
    if code is None:
        return f"it did not parse its arguments within {time_limit:g} seconds"
    if code == 0:
        return "it does not parse its arguments when it runs with --help"
    lines = errors.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with exit code {code}"


def _flag(described: Mapping[str, Any]) -> FlagDef:
    return FlagDef(
        described["name"],
        default=described["default"],
        description=" ".join(described["help"].split()),
        type=described["type"],
        required=described["required"],
        choices=tuple(Choice(c) for c in described["choices"]),
        arg_split=True if described.get("split") else None,
        arg_switch=described.get("switch"),
        has_arg_switch="switch" in described,
        arg_name=described.get("arg_name"),
    )
