"""What `guild run` shows instead of running: help, flags, source code, command, environment."""

import shlex

import click

from guild.app import App
from guild.base.text import table
from guild.commands._run_job import compile_job
from guild.commands._run_op import Chosen, choose, project_source, read_flags
from guild.commands._run_options import RunOptions
from guild.launch.job import ProjectSource
from guild.launch.rejob import trial_specs
from guild.launch.spec import RunSpec
from guild.ops.flags import format_value
from guild.ops.opdef import FlagDef, OpDef


def show(app: App, options: RunOptions) -> int:
    if options.help_model:
        from guild.commands._help_text import help_model

        click.echo(help_model(app, options.opspec))
        return 0
    chosen = choose(app, options)
    opdef = chosen.opdef
    if options.help_op:
        from guild.commands._help_text import help_op

        click.echo(help_op(opdef))
        return 0
    if options.test_flags:
        return _test_flags(app, options, chosen)
    if options.test_sourcecode:
        return _test_source(app, opdef)
    if options.test_output_scalars is not None:
        from guild.commands._test_scalars import test_output_scalars

        return test_output_scalars(opdef, options.test_output_scalars)
    job = compile_job(app, options, chosen)
    if options.print_trials or options.save_trials:
        from guild.commands._run_batch import print_trials, save_trials

        return save_trials(job, options.save_trials) if options.save_trials else print_trials(job)
    if options.print_env:
        return print_env_of(app, job.spec)
    print_spec(job.spec)
    for spec in trial_specs(job):
        print_spec(spec)
    return 0


def print_spec(spec: RunSpec) -> int:
    click.echo(shlex.join(spec.argv))
    return 0


def print_env_of(app: App, spec: RunSpec) -> int:
    """The variables that Guild adds, sorted; those that depend on the run's place left out."""
    added = {
        **spec.own_env,
        "GUILD_HOME": str(app.home.path),
        "GUILD_OP": spec.opdef.opspec,
        "GUILD_SOURCECODE": spec.request.debug_source or spec.opdef.sourcecode.dest,
        "CMD_DIR": spec.place.cmd_dir,
        "LOG_LEVEL": "20",
    }
    for name in sorted(added):
        click.echo(f"{name}={added[name]}")
    return 0


def _test_flags(app: App, options: RunOptions, chosen: Chosen) -> int:
    opdef, given = chosen.opdef, read_flags(app, options, chosen)
    click.echo(f"flags-dest: {opdef.flags_dest}")
    click.echo("flags:")
    rows = []
    for name, value in sorted(given.values.items()):
        flag = opdef.flag(name) or FlagDef(name)
        notes = [f"type: {flag.type}"] if flag.type else []
        if name in given.user:
            notes.append("given")
        rows.append((f"{name}:", format_value(value), f"({', '.join(notes)})" if notes else ""))
    for line in table(rows, indent=2):
        click.echo(line)
    return 0


def _test_source(app: App, opdef: OpDef) -> int:
    source = project_source(app, opdef, quiet=True)
    if not isinstance(source, ProjectSource):
        click.echo("Source code copy disabled")
        return 0
    chosen = source.selection
    where = "the current directory" if source.root == app.cwd else f"'{source.root}'"
    click.echo(f"Copying from {where}")
    for title, lines in (
        ("Rules:", chosen.described),
        ("Selected for copy:", chosen.files),
        ("Skipped:", chosen.skipped),
    ):
        click.echo(title)
        for line in table([(text,) for text in lines], indent=2):
            click.echo(line)
    for text in chosen.warnings:
        click.echo(text)
    return 0
