"""The process of a workflow (`steps`): runs record `python -um guild.steps_main`."""

import os
import sys
from pathlib import Path

from guild.app import App, Globals
from guild.errors import GuildError
from guild.launch import recipe
from guild.launch.entry import run_as_parent
from guild.launch.job import Job
from guild.launch.rejob import Values
from guild.launch.trials import Runner
from guild.launch.workflow import run_steps
from guild.ops.opdef import Step


def main(runner: Runner) -> int:
    opdef = recipe.read(runner.parent, runner.place).opdef
    if opdef is None or not opdef.steps:
        raise GuildError(f"run {runner.parent.id} does not say what its steps are")
    found = opdef

    def compile_step(step: Step, values: Values) -> Job:
        from guild.commands._run_job import step_job
        from guild.commands._run_options import RunOptions

        app = App(
            Path(found.project_dir or os.getcwd()), runner.environ, Globals(str(runner.store.home.path))
        )
        params = runner.parent.map_attr("run_params")
        options = RunOptions(label=params.get("label"), tags=tuple(params.get("tags") or ()))
        return step_job(app, options, found, step, values, (found.opspec,))

    return run_steps(runner, opdef, compile_step)


if __name__ == "__main__":
    sys.exit(run_as_parent(main))
