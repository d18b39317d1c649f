"""Where the output of an operation goes while it is executed: the run's files, the console, the scalars."""

import os
import time
from collections.abc import Callable, Mapping

from guild.base import files
from guild.launch.recipe import Recipe
from guild.runs.output import OutputWriter
from guild.runs.run import Run


class RunOutput:
    """Where the operation's output goes: the run's files, the console, the scalars."""

    def __init__(
        self,
        run: Run,
        made: Recipe,
        environ: Mapping[str, str],
        echo: tuple[int, int] | None,
        warn: Callable[[str], None],
    ) -> None:
        self._run, self._made, self._warn = run, made, warn
        self._record = environ.get("NO_RUN_OUTPUT") != "1"
        self._writer: OutputWriter | None = None
        self._scalars: _Scalars | None = None
        self._echo = list(echo) if echo else []
        self.failure = ""

    def __enter__(self) -> "RunOutput":
        if self._record:
            self._writer = OutputWriter(self._run.guild_dir)
        return self

    def write(self, data: bytes, stream: int) -> None:
        if self._echo:
            self._show(data, stream)
        if self._writer is None:
            return
        try:
            self._parse(self._writer.write(data, stream, time.time_ns() // 1_000_000))
        except OSError as e:
            self._give_up(e)

    def _show(self, data: bytes, stream: int) -> None:
        try:
            files.write_all(self._echo[stream], data)
        except OSError:
            self._echo = []  # the console is gone; the run is not

    def _parse(self, lines: list[bytes]) -> None:
        if self._scalars is None:
            if not any(b":" in line for line in lines) and self._made.output_scalars is None:
                return
            self._scalars = _Scalars(self._run, self._made)
        self._scalars.feed(lines)

    def _give_up(self, error: OSError) -> None:
        """The output cannot be kept (a full disk): say so once, and let the operation go on."""
        self.failure = f"output could not be recorded: {error.strerror or error}"
        self._warn(self.failure)
        self._writer = None

    def __exit__(self, *exc: object) -> None:
        if self._writer is not None:
            try:
                self._parse(self._writer.close())
            except OSError as e:
                self._give_up(e)
        if self._scalars is not None:
            self._scalars.close()


class _Scalars:
    """Takes lines of output and writes the scalars in them to an event file."""

    def __init__(self, run: Run, made: Recipe) -> None:
        from guild.runs.events import EventWriter
        from guild.runs.scalars import compile_patterns

        self._patterns = compile_patterns(made.output_scalars, made.flag_names)
        self._events = EventWriter(run.guild_dir, os.uname().nodename, os.getpid(), time.time())

    def feed(self, lines: list[bytes]) -> None:
        for line in lines:
            for tag, value, step in self._patterns.feed(line):
                self._events.add_scalar(tag, value, step)

    def close(self) -> None:
        self._events.close()
