"""A Python script, run directly: `guild run train.py x=1`."""

import os
from pathlib import Path

from guild.errors import OperationNotFound
from guild.ops.found import PYTHON_PLUGINS, Found, ImportSpec
from guild.ops.opdef import FLAG_ARGS, OpDef, SelectRule, SourceRules
from guild.ops.opref import OpRef
from guild.ops.resolve import Context, Resolved, with_imported


def provide(opspec: str, context: Context) -> Resolved | None:
    """The operation of a file that ends in `.py`; all flags of the script are its own.

    The source code is that of the current directory, if the script lies below it, else of its own.
    """
    if not opspec.endswith(".py"):
        return None
    script = Path(os.path.abspath(context.cwd / opspec))
    if not script.is_file():
        raise OperationNotFound(f"cannot find operation {opspec}", f"There is no file '{script}'.")
    root = context.cwd if script.is_relative_to(context.cwd) else script.parent
    main = script.relative_to(root).as_posix().removesuffix(".py")
    opdef = OpDef(
        opref=OpRef("script", str(script.parent), "", "", script.name),
        opspec=str(script),
        cmd_args=("${python_exe}", "-um", "guild.op_main", main, FLAG_ARGS),
        project_dir=str(root),
        is_python=True,
        # Whatever the limits of the default rules leave out, the script itself is copied.
        sourcecode=SourceRules(rules=(SelectRule(True, f"/{main}.py"),)),
        plugins=PYTHON_PLUGINS,
    )
    return with_imported(Found(opdef, ImportSpec(all=True, script=main)), context)
