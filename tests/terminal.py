"""A command on a real pseudo-terminal: what it asks, what Ctrl-C does."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.helpers import kill_tree


def _own_terminal() -> None:
    """In the child, which leads a session: its stdin becomes the terminal that controls it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """One command and the person at its keyboard."""

    def __init__(self, argv: Sequence[str], directory: Path, env: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            argv,
            cwd=directory,
            env={"TERM": "xterm", **env},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(slave)
        self.pid = self.process.pid
        self.transcript = ""
        self._seen = 0
        self._ended = False

    def send(self, text: str) -> None:
        """Type this; `\\n` is the return key, `\\x03` Ctrl-C."""
        os.write(self._master, text.encode())

    def expect(self, text: str, timeout: float = 30) -> str:
        """Wait until this text appears after what was expected before; return all that came until then."""
        deadline = time.monotonic() + timeout
        while (at := self.transcript.find(text, self._seen)) < 0:
            if not self._read(deadline):
                pytest.fail(f"{text!r} did not appear in:\n{self.transcript[self._seen :]}")
        came = self.transcript[self._seen : at + len(text)]
        self._seen = at + len(text)
        return came

    def wait(self, timeout: float = 60) -> int:
        """Wait for the end of the command, reading on; its exit code (negative: ended by that signal)."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        try:
            return self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            kill_tree(self.pid)
            pytest.fail(f"{self.process.args} ran for over {timeout} s:\n{self.transcript}")

    def _read(self, deadline: float) -> bool:
        """Read what is there; False at the end of the output or of the time."""
        if self._ended:
            return False
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # EIO: nobody has the other side open any more
            data = b""
        self._ended = not data
        self.transcript += data.decode(errors="replace")
        return bool(data)

    def close(self) -> None:
        kill_tree(self.pid)
        self.process.wait()
        os.close(self._master)
