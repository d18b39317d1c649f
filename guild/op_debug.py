"""Inside the job, for `--break` and `--break-on-error`: the debugger, where the user wants it.

Python 3.8 syntax, standard library only; loaded only where one of the two was given.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(path: str, code: Any, namespace: dict[str, Any]) -> bool:
    """Execute the script under the debugger if there are breakpoints; whether it was."""
    if os.environ.get("BREAK_ON_ERROR"):
        _break_on_error()
    breaks = os.environ.get("PDB_BREAKS")
    if not breaks:
        return False
    import pdb
    import shlex

    debugger = _debugger(pdb)
    for place in shlex.split(breaks):
        _set_break(debugger, place, path, namespace)
    debugger.begin(code, namespace)
    return True


def _debugger(pdb: Any) -> Any:
    import bdb

    class Debugger(pdb.Pdb):  # type: ignore[misc]
        """Runs up to the first breakpoint without stopping at the first line."""

        def begin(self, code: Any, namespace: dict[str, Any]) -> None:
            self.reset()
            self.botframe = None
            self._wait_for_mainpyfile = False
            self.started = False
            sys.settrace(self.trace_dispatch)
            try:
                exec(code, namespace)
            except bdb.BdbQuit:
                sys.exit(1)
            finally:
                self.quitting = True
                sys.settrace(None)

        def user_line(self, frame: Any) -> None:
            if not self.started:
                # The debugger is at the first line of the script: go on from there.
                self.started = True
                self.botframe = frame
                if not self.break_here(frame):
                    self.set_continue()
                    sys.settrace(self.trace_dispatch)
                    return
            pdb.Pdb.user_line(self, frame)

        def set_continue(self) -> None:
            # As long as there are breakpoints, functions that are entered later are looked at.
            self._set_stopinfo(self.botframe, None, -1)

    return Debugger(nosigint=True)


def _set_break(debugger: Any, place: str, path: str, namespace: dict[str, Any]) -> None:
    """`LINE` of the script, `FILE:LINE`, or the name of a function of the script or of `module.function`."""
    name, _, line = place.rpartition(":")
    found: tuple[str, int]
    if line.isdigit():
        source = _source(name, path) if name else path
        if source is None:
            _say("cannot set a breakpoint at %s: there is no file %s" % (place, name))
            return
        number = _line_with_code(source, int(line))
        if number is None:
            _say("no code at or below line %s of %s" % (line, source))
            return
        found = (source, number)
    else:
        function = _function_line(path, place)
        if function is None:
            _say("cannot set a breakpoint at %s: it is neither a line nor a function" % place)
            return
        found = function
    fault = debugger.set_break(*found)
    if fault:
        _say("cannot set a breakpoint at %s: %s" % (place, fault))


def _source(name: str, path: str) -> str | None:
    """A file of the source code: beside the script, or where modules are looked up; `.py` may be left out."""
    for directory in (os.path.dirname(path), *sys.path, os.getcwd()):
        for candidate in (name, name + ".py", os.path.join(name, "__init__.py")):
            full = os.path.join(directory, candidate)
            if os.path.isfile(full):
                return os.path.abspath(full)
    return None


def _tree(source: str) -> Any:
    import ast

    try:
        with open(source, "rb") as f:
            return ast.parse(f.read(), source)
    except (OSError, SyntaxError, ValueError):
        return None


def _line_with_code(source: str, line: int) -> int | None:
    """The line, or the next one that a statement begins at."""
    import ast

    tree = _tree(source)
    if tree is None:
        return line
    numbers = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno >= line]
    return min(numbers, default=None)


def _function_line(path: str, place: str) -> tuple[str, int] | None:
    """(file, line of the first statement) of `function`, `Class.method` or `module.function`."""
    parts = place.split(".")
    for at in range(len(parts)):
        source = path if at == 0 else _source(os.path.join(*parts[:at]), path)
        line = _find_function(_tree(source), parts[at:]) if source is not None else None
        if source is not None and line is not None:
            return source, line
    return None


def _find_function(tree: Any, names: list[str]) -> int | None:
    import ast

    body: Any = tree.body if tree is not None else []
    node: Any = None
    for name in names:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        node = next((n for n in _statements(body) if isinstance(n, kinds) and n.name == name), None)
        if node is None:
            return None
        body = node.body
    if node is None or isinstance(node, ast.ClassDef):
        return None
    first = body[1] if len(body) > 1 and ast.get_docstring(node) is not None else body[0]
    return int(first.lineno)


def _statements(body: Any) -> Any:
    """Statements, with those of `if`, `try`, `with` and loops among them."""
    import ast

    for node in body:
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for block in ("body", "orelse", "finalbody"):
                for each in _statements(getattr(node, block, ())):
                    yield each
            for handler in getattr(node, "handlers", ()):
                for each in _statements(handler.body):
                    yield each


def _break_on_error() -> None:
    """After an exception that nobody catches: its traceback, then the debugger where it was raised."""
    shown: Any = sys.excepthook

    def hook(kind: Any, error: Any, trace: Any) -> None:
        shown(kind, error, trace)
        if issubclass(kind, Exception) and trace is not None:
            import pdb

            pdb.post_mortem(error.__traceback__ or trace)

    sys.excepthook = hook


def _say(text: str) -> None:
    sys.stderr.write("WARNING: %s\n" % text)
