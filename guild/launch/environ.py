"""The environment of a run's process. Pure: maps in, maps out (docs/ARCHITECTURE.md, "Environment")."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping

# What Guild sets for one run and nothing of which may reach another one.
RUN_VARIABLES = frozenset(
    (
        "RUN_DIR", "RUN_ID", "GUILD_OP", "GUILD_SOURCECODE", "GUILD_PLUGINS", "PROJECT_DIR", "CMD_DIR",
        "FLAGS_DEST", "LOG_LEVEL", "HANDLE_KEYBOARD_INTERRUPT", "NO_OP_INTERRUPTED_MSG", "BREAK_ON_ERROR",
        "PDB_BREAKS", "NO_RESTARTING_MSG", "NO_IMPORT_FLAGS_PROGRESS", "GUILD_RUNS_PARENT",
    )
)  # fmt: skip
_SECRET_PARTS = ("PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "SECRET", "CREDENTIAL")
_SECRET_WORDS = frozenset(("KEY", "APIKEY", "PASS", "PWD_HASH", "AUTH"))
_EXPORT = re.compile(r"export ([^=\s]+)=((?:[^\s'\"\\]|\\.|'[^']*'|\"[^\"]*\")*)\n", re.DOTALL)


def is_secret(name: str, more: Iterable[str] = ()) -> bool:
    """Whether a variable of this name is kept out of what is recorded (`more`: an operation's own)."""
    upper = name.upper()
    return (
        any(part in upper for part in _SECRET_PARTS)
        or not _SECRET_WORDS.isdisjoint(upper.split("_"))
        or name in more
    )


def without_run(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without `_`, and, inside of a run, without what belongs to that run."""
    inside = "RUN_ID" in environ
    return {
        name: value
        for name, value in environ.items()
        if name != "_" and not (inside and (name in RUN_VARIABLES or name.startswith("FLAG_")))
    }


def recorded(environ: Mapping[str, str], env_secrets: Iterable[str] = ()) -> dict[str, str]:
    """What may be written down of an environment."""
    more = frozenset(env_secrets)
    return {k: v for k, v in environ.items() if not is_secret(k, more)}


def format_env(environ: Mapping[str, str]) -> str:
    """The text of `.guild/ENV`: a line `export NAME=VALUE` for each variable that a shell can take."""
    return "".join(
        f"export {name}={shlex.quote(value) if value else ''}\n"
        for name, value in sorted(environ.items())
        if name not in ("PWD", "_") and is_exportable(name)
    )


def is_exportable(name: str) -> bool:
    """Whether a shell can take a variable of this name (bash hands on functions as `BASH_FUNC_name%%`)."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None


def parse_env(text: str) -> dict[str, str]:
    """Read what `format_env`, or Guild 0.9, wrote; other lines are skipped."""
    return {m[1]: _unquote(m[2]) for m in _EXPORT.finditer(text)}


def _unquote(word: str) -> str:
    if not any(c in word for c in "'\"\\"):
        return word
    parts = shlex.split(word)
    return parts[0] if parts else ""


def python_path(dest: str, guild_path: str, inherited: str, holds_guild: Callable[[str], bool]) -> str:
    """`<dest>:<guild path>[:inherited]`, without inherited entries that are these, or hold another `guild`
    package (Guild 0.9 bakes its own site-packages in, which breaks under another Python)."""
    kept = [p for p in inherited.split(":") if p and p not in (dest, guild_path) and not holds_guild(p)]
    return ":".join([dest, guild_path, *kept])


def job_environ(
    base: Mapping[str, str],
    starter: Mapping[str, str],
    own: Mapping[str, str],
    run: Mapping[str, str],
    *,
    is_recorded: bool,
    env_secrets: Iterable[str] = (),
) -> dict[str, str]:
    """The environment of a job; later wins.

    `base`: the environment recorded at staging, else the starter's. From `starter` come the variables that
    the secrets rule kept out of the record (only where `base` is one). Then the operation's own, then the
    run's variables.
    """
    env = without_run(base) if not is_recorded else {k: v for k, v in base.items() if k != "_"}
    if is_recorded:
        more = frozenset(env_secrets)
        env.update({k: v for k, v in without_run(starter).items() if is_secret(k, more)})
    return {**env, **own, **run}
