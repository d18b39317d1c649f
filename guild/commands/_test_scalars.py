"""`--test-output-scalars`: which scalars an operation would take from the lines of a file."""

import sys

import click

from guild.errors import GuildError
from guild.ops.opdef import OpDef
from guild.runs.scalars import compile_patterns


def test_output_scalars(opdef: OpDef, source: str) -> int:
    """Show each line of the file (`-`: of stdin), and below it the scalars, with their step."""
    patterns = compile_patterns(opdef.output_scalars, tuple(f.name for f in opdef.flags))
    try:
        lines = sys.stdin.buffer if source == "-" else open(source, "rb")  # noqa: SIM115
    except OSError as e:
        raise GuildError(f"cannot read '{source}': {e.strerror}") from None
    with lines:
        for line in lines:
            click.echo(line.decode("utf-8", "replace").rstrip("\n"))
            for key, value, step in patterns.feed(line.rstrip(b"\r\n")):
                click.echo(f"  {key}={value:g}{'' if step is None else f' (step {step})'}")
    return 0
