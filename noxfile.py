"""`nox`: the checks on every supported Python. `./test.sh` runs them on one."""

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
nox.options.default_venv_backend = "uv|virtualenv"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests; arguments go to pytest: `nox -s tests-3.12 -- -k queue`."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "-q", *session.posargs)


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """mypy --strict, on the oldest Python."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def lint(session: nox.Session) -> None:
    """Lint and format, changing nothing."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
