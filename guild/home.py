"""Where things are under GUILD_HOME, and which directory that is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The directories and files under one GUILD_HOME. Pure names: nothing is created here."""

    path: Path

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def staging(self) -> Path:
        """Run directories in the making; same depth as `runs/`, so relative links hold."""
        return self.path / "staging"

    @property
    def trash(self) -> Path:
        return self.path / "trash" / "runs"

    @property
    def lock(self) -> Path:
        return self.path / "locks" / "run-status"

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def index(self) -> Path:
        """What was read of runs; Guild 0.9 has its own, `index_v1.db`, beside it."""
        return self.cache / "runs" / "facts.db"

    @property
    def log(self) -> Path:
        return self.path / "log"


def choose_home(option: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The home directory, by Guild 0.9's rules (first hit wins), as an absolute path.

    `-H`/`GUILD_HOME`; the pre-0.9 scheme; the active environment's `.guild` if it exists; the
    nearest existing `.guild` from `cwd` up to the user's home; `~/.guild`.
    """
    given = option or environ.get("GUILD_HOME")
    if given:
        return Path(os.path.abspath(cwd / os.path.expanduser(given)))
    user = Path(environ.get("HOME") or os.path.expanduser("~"))
    active = [Path(environ[k]) / ".guild" for k in ("CONDA_PREFIX", "VIRTUAL_ENV") if environ.get(k)]
    if environ.get("GUILD_HOME_SCHEME") == "pre-0.9":
        return (active[0] if active else user / ".guild").resolve()
    for candidate in active:
        if candidate.is_dir():
            return candidate.absolute()
    for directory in (cwd, *cwd.parents):
        if (directory / ".guild").is_dir():
            return directory / ".guild"
        if directory == user:
            break
    return user / ".guild"
