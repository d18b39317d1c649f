"""`guild check`: whether Guild is set up well, and with what."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from guild.app import App
from guild.base.text import printable
from guild.commands._runs_options import SETTINGS
from guild.errors import EXIT_USAGE, GuildError

_WIDTH = 26
# Options of Guild 0.9 for which there is nothing here.
_REFUSED = {
    "tests": "the tests of Guild come with its source: run pytest there",
    "test": "the tests of Guild come with its source: run pytest there",
    "r_script": "R scripts are not supported",
    "remote": "remotes are not supported",
}


@click.command("check", context_settings=SETTINGS, short_help="Check the setup of Guild.")
@click.option("--env", is_flag=True, help="Show Guild, its home and Python only.")
@click.option("--tensorflow", is_flag=True, help="Check TensorFlow, too.")
@click.option("--pytorch", is_flag=True, help="Check PyTorch, too.")
@click.option("-n", "--no-info", is_flag=True, help="Show problems only.")
@click.option("-v", "--verbose", is_flag=True, help="Show more.")
@click.option("--space", is_flag=True, help="Show how much disk space the home takes.")
@click.option(
    "--version", "required", metavar="SPEC", help="Fail unless Guild's version fits, as in '>=0.10'."
)
@click.option("--notify", is_flag=True, help="Tell the desktop when the check is done.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--offline/--no-offline", default=None, hidden=True)
@click.option("-T", "--tests", is_flag=True, hidden=True)
@click.option("-t", "--test", multiple=True, hidden=True)
@click.option("--r-script", is_flag=True, hidden=True)
@click.option("-r", "--remote", hidden=True)
@click.pass_obj
def command(app: App, /, required: str | None, notify: bool, **options: Any) -> int:
    """Check the setup of Guild: what it runs on, and whether its home can be used.

    \b
    guild check                      what there is, and what is wrong
    guild check -n && guild run      go on only if all is well
    guild check --version '>=0.10'   fail where Guild is older

    Nothing is looked up in the network. The exit code is 1 where something is wrong.
    """
    for name, why in _REFUSED.items():
        if options.pop(name):
            raise GuildError(f"--{name.replace('_', '-')}: {why}", code=EXIT_USAGE)
    if required is not None:
        _check_version(required)
    sections = dict(_sections(app, options))
    facts = [fact for section in sections.values() for fact in section]
    problems = [fact.problem for fact in facts if fact.problem]
    if options["as_json"]:
        from guild.commands._show import json_text

        shown = {n: {f.name: f.value for f in section} for n, section in sections.items()}
        click.echo(json_text({**shown, "problems": problems}))
    elif not options["no_info"]:
        _show(sections, options["verbose"])
    for problem in problems:
        click.echo(f"guild: {printable(problem)}", err=True)
    summary = (
        f"{len(problems)} problem{'s' if len(problems) != 1 else ''} found"
        if problems
        else "No problems found"
    )
    if not options["as_json"] and (problems or not options["no_info"]):
        click.echo(summary, err=True)
    if notify:
        _notify(summary)
    return 1 if problems else 0


def _sections(app: App, options: dict[str, Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    from guild.commands import _check_facts as facts

    yield "environment", list(facts.environment_facts(app))
    if not options["env"]:
        yield "machine", list(facts.machine_facts(app))
        yield "home", list(facts.home_facts(app))
    asked = [facts.framework_fact(app, name) for name in ("tensorflow", "pytorch") if options[name]]
    if asked:
        yield "frameworks", asked
    if options["space"]:
        yield "disk_space", list(facts.space_facts(app))


def _show(sections: dict[str, Sequence[Any]], verbose: bool) -> None:
    for name, section in sections.items():
        indent = "  " if name == "disk_space" else ""
        if indent:
            click.echo(f"{name}:")
        for fact in section:
            if verbose or not fact.verbose:
                head = f"{indent}{fact.name}:"
                click.echo(f"{head:<{_WIDTH}} {printable(fact.value)}")


def _check_version(required: str) -> None:
    import re

    from guild import __version__
    from guild.launch.interpreter import fits, parse

    try:
        terms = parse(required)
    except GuildError:
        raise GuildError(
            f"invalid version requirement '{required}'", "Write --version '>=0.10,<0.11'.", EXIT_USAGE
        ) from None
    release = re.match(r"[0-9.]*[0-9]", __version__)
    version = tuple(int(n) for n in release[0].split(".")) if release else ()
    if not fits(version, terms):
        raise GuildError(f"version mismatch: current version '{__version__}' does not match '{required}'")


def _notify(summary: str) -> None:
    import subprocess

    script = f'display notification "{summary}" with title "guild check"'
    for argv in (["notify-send", "guild check", summary], ["osascript", "-e", script]):
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
            if done.returncode == 0:
                return
        except (OSError, subprocess.SubprocessError):
            continue
    click.echo("WARNING: cannot notify: neither notify-send nor osascript works here", err=True)
