"""The built-in operation `queue`, as data."""

from guild import __version__
from guild.ops.found import PYTHON_PLUGINS
from guild.ops.opdef import FLAG_ARGS, Choice, FlagDef, OpDef, SourceRules
from guild.ops.opref import OpRef
from guild.ops.resolve import Context

NAME = "queue"

_FLAGS = (
    FlagDef(
        "gpus",
        description="GPUs to serve, as for --gpus. Runs that were staged with other GPUs are left alone.",
        type="string",
        null_label="unspecified",
    ),
    FlagDef(
        "on-lost",
        description="What becomes of a queue's run that was begun and lost (the machine was restarted, its"
        " supervisor killed): an error, or, with 'restage', a staged run again, in its old place, up to three"
        " times.",
        type="string",
        choices=(Choice("error"), Choice("restage")),
        null_label="error",
    ),
    FlagDef(
        "poll-interval",
        default=10,
        description="Seconds between full looks for staged runs. A run staged on this machine wakes the queue"
        " at once; the interval is for network drives and for runs staged by Guild 0.9.",
        type="number",
        min=0.1,
    ),
    FlagDef(
        "run-once",
        default=False,
        description="Stop when nothing is left to start.",
        type="boolean",
        arg_switch=True,
        has_arg_switch=True,
    ),
    FlagDef(
        "wait-for-running",
        default=True,
        description="Start a run only while no other run is in progress. With 'no' each queue runs one at a"
        " time, whatever else is running.",
        type="boolean",
        arg_switch=False,
        has_arg_switch=True,
        arg_name="no-wait-for-running",
    ),
)

DESCRIPTION = """Start staged runs, one after the other, in the order in which they were staged.

A queue is a run itself: list it with 'guild runs', end it with 'guild stop' or Ctrl-C."""


def provide_named(opspec: str, context: Context) -> OpDef | None:
    """The operation, for exactly its name."""
    return provide() if opspec == NAME else None


def provide() -> OpDef:
    """The operation. Its process is `guild.plugins.queue_main`."""
    return OpDef(
        opref=OpRef("builtin", "guildai", __version__, "", NAME),
        opspec=NAME,
        cmd_args=("${guild_python_exe}", "-um", "guild.plugins.queue_main", FLAG_ARGS),
        project_dir="",
        is_python=False,
        flags=_FLAGS,
        flags_dest="args",
        description=DESCRIPTION,
        sourcecode=SourceRules(disabled=True),
        plugins=PYTHON_PLUGINS,
        output_scalars=[],
        pip_freeze=False,
    )
