"""The virtual environment of `guild init --venv`: made by the interpreter itself, filled by its pip."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from guild.app import App
from guild.errors import GuildError
from guild.runs import layout

_REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class VenvOptions:
    """As they were given."""

    venv: bool
    name: str | None
    python: str | None
    guild_spec: str | None
    system_site_packages: bool
    requirements: tuple[str, ...]
    paths: tuple[str, ...]
    no_reqs: bool
    pre: bool
    no_progress: bool


@dataclass(frozen=True)
class Plan:
    """What will be done. `packages`: arguments of `pip install`."""

    place: Path
    name: str
    python: str
    packages: tuple[str, ...]
    paths: tuple[str, ...]
    options: VenvOptions
    exists: bool

    def summary(self) -> list[str]:
        files = [text for text in self.packages if text != "-r"]
        lines = [
            f"Name: {self.name}",
            f"Python interpreter: {self.python}",
            f"Use system site packages: {'yes' if self.options.system_site_packages else 'no'}",
        ]
        if self.exists:
            lines.append("The virtual environment is there already; it is kept")
        return lines + (["Python requirements:", *(f"  {each}" for each in files)] if files else [])


def plan(app: App, place: Path, options: VenvOptions) -> Plan:
    """Look at what is there. Raises GuildError where it cannot be done."""
    exists = (place / "pyvenv.cfg").is_file()
    if not exists and place.is_dir() and set(os.listdir(place)) - {layout.GUILD_DIR}:
        raise GuildError(
            f"'{place}' holds other files: no virtual environment is made there",
            "Name a directory that is empty or not there yet.",
        )
    python = _interpreter(options.python, app)
    name = options.name or place.parent.name or place.name
    paths = tuple(os.path.abspath(app.cwd / os.path.expanduser(path)) for path in options.paths)
    return Plan(place, name, python, tuple(_packages(app, place, options)), paths, options, exists)


def _interpreter(wanted: str | None, app: App) -> str:
    """By version (`3.12`, `>=3.10`), name or path; the one that runs get by default."""
    import shutil

    from guild.launch.interpreter import find_interpreter, parse
    from guild.launch.machine import find_place

    default = find_place(app.environ, str(app.cwd)).python_exe
    if wanted is None:
        return default
    path = app.cwd / os.path.expanduser(wanted) if "/" in wanted else shutil.which(wanted)
    if path is not None and os.access(path, os.X_OK) and os.path.isfile(path):
        return str(path)
    try:
        parse(wanted.removeprefix("python"))
    except GuildError:
        raise GuildError(
            f"cannot find Python '{wanted}'", "Give a version (3.12), a name on PATH or a path."
        ) from None
    return find_interpreter(wanted.removeprefix("python"), default, app.environ)


def _packages(app: App, place: Path, options: VenvOptions) -> list[str]:
    found: list[str] = []
    if options.guild_spec:
        is_path = os.path.exists(app.cwd / options.guild_spec)
        found.append(str(app.cwd / options.guild_spec) if is_path else f"guildai=={options.guild_spec}")
    for text in options.requirements:
        path = app.cwd / os.path.expanduser(text)
        found += ["-r", str(path)] if path.is_file() else [text]
    default = place.parent / _REQUIREMENTS
    if not options.requirements and not options.no_reqs and default.is_file():
        found += ["-r", str(default)]
    return found


def make_venv(planned: Plan, environ: Mapping[str, str]) -> None:
    """Make and fill the environment. Raises GuildError where a step fails; what is done by then stays."""
    options = planned.options
    if not planned.exists:
        click.echo("Creating virtual environment", err=True)
        argv = [planned.python, "-m", "venv", "--prompt", planned.name]
        argv += ["--system-site-packages"] if options.system_site_packages else []
        _run([*argv, str(planned.place)], environ, "make the virtual environment")
    python = str(planned.place / "bin" / "python")
    if planned.packages:
        click.echo("Installing packages", err=True)
        argv = [python, "-m", "pip", "install", "--disable-pip-version-check"]
        argv += ["--pre"] if options.pre else []
        argv += ["--progress-bar", "off", "--quiet"] if options.no_progress else []
        _run([*argv, *planned.packages], environ, "install the packages")
    if planned.paths:
        _write_paths(python, planned.paths)
    click.echo(f"To activate it run:\n\n  source {planned.place}/bin/activate\n", err=True)


def _run(argv: Sequence[str], environ: Mapping[str, str], what: str) -> None:
    """The step's output goes to stderr, as all that is said on the way."""
    env = {name: value for name, value in environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    try:
        code = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=2).returncode
    except OSError as e:
        raise GuildError(f"cannot run {argv[0]}: {e.strerror}") from None
    if code != 0:
        raise GuildError(
            f"cannot {what}: {os.path.basename(argv[0])} ended with exit code {code}", "See above."
        )


def _write_paths(python: str, paths: Sequence[str]) -> None:
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    try:
        done = subprocess.run([python, "-c", ask], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        directory = done.stdout.decode("utf-8", "surrogateescape").strip()
        target = Path(directory, "guild-paths.pth")
        old = target.read_text("utf-8").splitlines() if target.exists() else []
        target.write_text("".join(f"{path}\n" for path in dict.fromkeys([*old, *paths])), "utf-8")
    except (OSError, subprocess.SubprocessError) as e:
        raise GuildError(f"cannot add to the Python path of the environment: {e}") from None
