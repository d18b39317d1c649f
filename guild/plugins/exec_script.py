"""Any executable file as an operation."""

import os
from pathlib import Path

from guild.errors import GuildError
from guild.ops.found import PLUGINS
from guild.ops.opdef import OpDef, SelectRule, SourceRules
from guild.ops.opref import OpRef
from guild.ops.resolve import Context


def provide(opspec: str, context: Context) -> OpDef | None:
    """None where there is no such file. Raises GuildError for one that cannot be executed."""
    path = Path(os.path.abspath(context.cwd / opspec))
    if not path.is_file():
        return None
    if not os.access(path, os.X_OK):
        raise GuildError(f"cannot run '{opspec}': must be an executable file", f"Try: chmod +x {opspec}")
    below = path.is_relative_to(context.cwd)
    root = context.cwd if below else path.parent
    relative = path.relative_to(root).as_posix()
    taken = SelectRule(True, f"/{relative}")
    return OpDef(
        # As Guild 0.9 records it: the current directory, and the file as it was named.
        opref=OpRef("script", str(context.cwd), "", "", opspec),
        opspec=str(path),
        # The copy in the run directory, which is as it was when the run was staged.
        cmd_args=(f"./{relative}",),
        project_dir=str(root),
        # What lies beside a file elsewhere (/usr/bin) is no source code of its.
        sourcecode=SourceRules(rules=(taken,) if below else (SelectRule(False, "*"), taken)),
        plugins=PLUGINS,
    )
