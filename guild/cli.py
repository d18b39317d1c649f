"""The root command: a table of names and modules, loaded on use; and the one error boundary."""

import errno
import os
import sys
from typing import NoReturn

import click

from guild.commands._lazy import LazyGroup
from guild.errors import EXIT_ERROR, EXIT_INTERNAL, EXIT_INTERRUPTED, GuildError

# name -> module of guild.commands (its attribute `command`), and the line for `guild --help`, so that help
# loads none of them. tests/test_house.py compares the lines with the commands.
COMMANDS = {
    "api": ("api", "Print runs and operations as JSON."),
    "cat": ("cat", "Print output or files of a run."),
    "check": ("check", "Check the setup of Guild."),
    "comment": ("runs_comment", "Add, list and remove comments of runs."),
    "compare": ("compare", "Compare runs: flags and results side by side."),
    "completion": ("completion", "Print or install command completion for a shell."),
    "diff": ("diff", "Show how two runs differ."),
    "export": ("runs_export", "Copy or move runs to a directory or zip file."),
    "help": ("help", "Show help for the operations of a project."),
    "import": ("runs_import", "Copy or move runs from a directory or zip file."),
    "init": ("init", "Prepare a directory as a Guild environment."),
    "label": ("runs_label", "Set, change or remove the labels of runs."),
    "ls": ("ls", "List the files of a run."),
    "mark": ("runs_mark", "Mark runs, or remove their marks."),
    "merge": ("merge", "Copy files of a run back to the project."),
    "models": ("models", "List the models of this project."),
    "open": ("open", "Open a run, or one of its files, in another program."),
    "operations": ("operations", "List the operations of this project."),
    "run": ("run", "Run, stage or restage an operation."),
    "runs": ("runs", "List runs; info, delete, restore, and more."),
    "select": ("select", "Print the ids, paths or attributes of runs."),
    "stop": ("runs_stop", "Stop runs and queues."),
    "tag": ("runs_tag", "Add and remove tags of runs."),
    "tensorboard": ("tensorboard", "Show runs in TensorBoard, or export their scalars."),
    "watch": ("watch", "Follow the output of a run until it ends."),
}
ALIASES = {"ops": "operations"}
ABSENT = frozenset((
    "download", "install", "package", "packages", "publish", "pull", "push", "remote", "remotes", "search",
    "shell", "sync", "sys", "tensorflow", "uninstall", "view",
))  # fmt: skip


def _change_dir(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        try:
            os.chdir(value)
        except OSError as e:
            raise GuildError(f"cannot use directory '{value}': {e.strerror}") from None


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from guild import __version__

        click.echo(f"guild {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    aliases=ALIASES,
    absent=ABSENT,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-C",
    "cwd",
    metavar="DIR",
    callback=_change_dir,
    expose_value=False,
    is_eager=True,
    help="Run the command as if from this directory.",
)
@click.option("-H", "home", metavar="DIR", help="Use this Guild home (default: $GUILD_HOME, else ~/.guild).")
@click.option("--debug", is_flag=True, help="Show a traceback for internal errors, and more detail.")
@click.option(
    "--version",
    is_flag=True,
    callback=_show_version,
    expose_value=False,
    is_eager=True,
    help="Print the version and exit.",
)
@click.pass_context
def root(ctx: click.Context, home: str | None, debug: bool) -> None:
    """Run, stage, queue, track and compare experiments."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        return
    from guild.app import Globals, make_app

    ctx.obj = make_app(Globals(home, debug))
    ctx.call_on_close(ctx.obj.close)


def main() -> NoReturn:
    """The console script."""
    _open_closed_streams()
    if "_GUILD_COMPLETE" in os.environ:
        from guild.commands._complete import complete

        sys.exit(complete(root, os.environ))
    sys.exit(_run(sys.argv[1:]))


def _open_closed_streams() -> None:
    """Of a command that was started with one of its three streams closed, that one is empty."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def _run(args: list[str]) -> int:
    debug = "--debug" in args
    try:
        code = root.main(args, prog_name="guild", standalone_mode=False)
        _flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as e:
        return e.exit_code
    except click.Abort:
        return EXIT_INTERRUPTED if _interrupted() else 1
    except click.ClickException as e:
        click.echo(f"guild: {_usage_text(e)}", err=True)
        if isinstance(e, click.UsageError) and e.ctx is not None:
            click.echo(f"Try '{e.ctx.command_path} --help' for more information.", err=True)
        return e.exit_code
    except GuildError as e:
        click.echo(f"guild: {e.message}", err=True)
        if e.hint:
            click.echo(e.hint, err=True)
        return e.code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return 1
    except OSError as e:
        return _system_error(e, debug)
    except Exception as e:
        return _internal_error(e, debug)


def _interrupted() -> bool:
    """click raises Abort for Ctrl-C and for the end of input at a prompt."""
    error = sys.exc_info()[1]
    return error is not None and isinstance(error.__context__, KeyboardInterrupt)


def _usage_text(error: click.ClickException) -> str:
    """As Guild 0.9 says it: with one option that comes near, if any."""
    if not isinstance(error, click.NoSuchOption):
        return error.format_message()
    if said := _REFUSED.get(error.option_name):
        return said
    near = sorted(error.possibilities or (), key=lambda name: -_nearness(name, error.option_name))
    return f"unrecognized option '{error.option_name}'" + (f" (did you mean {near[0]}?)" if near else "")


_REFUSED = {
    **dict.fromkeys(("-r", "--remote"), "--remote is not supported: runs are on this machine only"),
    "-S": "a status after -S is one or more of the letters r, c, e, t, p and s",
}


def _nearness(name: str, typed: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, name, typed).ratio()


def _flush() -> None:
    sys.stdout.flush()


def _drop_stdout() -> None:
    """Whoever read our output is gone: nothing more goes there, not even at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


def _system_error(error: OSError, debug: bool) -> int:
    """What the system refuses (a full disk, a missing permission) is the user's to mend: no report."""
    if debug or error.errno is None:
        return _internal_error(error, debug)
    where = f": '{error.filename}'" if error.filename is not None else ""
    click.echo(f"guild: {error.strerror}{where}", err=True)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        click.echo("Make some room; 'guild runs purge' removes deleted runs for good.", err=True)
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        click.echo("If it is the Guild home, choose another one with -H or GUILD_HOME.", err=True)
    return EXIT_ERROR


def _internal_error(error: Exception, debug: bool) -> int:
    import traceback

    text = "".join(traceback.format_exception(error))
    if debug:
        click.echo(text, err=True)
        return EXIT_INTERNAL
    click.echo(f"guild: internal error: {type(error).__name__}: {error}", err=True)
    report = _write_report(text)
    if report:
        click.echo(f"A report for an issue is in {report}", err=True)
    else:
        click.echo("Run the command again with 'guild --debug ...' for the details.", err=True)
    return EXIT_INTERNAL


def _write_report(text: str) -> str | None:
    import platform
    import time

    from guild import __version__
    from guild.home import Home, choose_home

    try:
        from pathlib import Path

        log = Home(choose_home(None, os.environ, Path.cwd())).log
        os.makedirs(log, exist_ok=True)
        path = log / time.strftime("error-%Y%m%d-%H%M%S.txt")
        head = f"guild {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
        path.write_text(head + text, "utf-8", "backslashreplace")
        return str(path)
    except OSError:
        return None
