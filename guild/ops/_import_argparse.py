"""Runs in a child: executes a script with `--help` and reports its argparse options instead of parsing.

`python _import_argparse.py RESULT SCRIPT [ARG]...`. Python 3.8, standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Done(BaseException):
    pass


def _describe(action: Any) -> dict[str, Any] | None:
    longs = [o for o in action.option_strings if o.startswith("--")]
    if not longs or isinstance(action, argparse._HelpAction):
        return None
    kind = type(action).__name__
    if kind in ("_CountAction", "_AppendAction", "_AppendConstAction", "_VersionAction", "_SubParsersAction"):
        return None
    default = action.default if action.default is not argparse.SUPPRESS else None
    described = {
        "name": longs[0][2:],
        "help": action.help if action.help is not argparse.SUPPRESS else None,
        "default": default,
        "choices": list(action.choices) if action.choices is not None else None,
        "required": bool(action.required),
        "type": getattr(action.type, "__name__", None) if action.type is not None else None,
        "nargs": action.nargs,
        "kind": kind,
        "const": getattr(action, "const", None),
        "options": longs,
    }
    if described["help"]:
        described["help"] = described["help"] % dict(vars(action), prog="")
    return described


def _report(parser: Any, result: str) -> None:
    actions = [_safe(a) for a in parser._actions]
    with open(result, "w") as f:
        json.dump([a for a in actions if a], f, default=str)


def _safe(action: Any) -> dict[str, Any] | None:
    try:
        return _describe(action)
    except (ValueError, TypeError, KeyError):
        action.help = None
        return _describe(action)


def main() -> None:
    result, script, args = sys.argv[1], sys.argv[2], sys.argv[3:]

    def parse(self: Any, given: Any = None, namespace: Any = None) -> Any:
        sub = [a for a in self._actions if isinstance(a, argparse._SubParsersAction)]
        if sub and args and args[0] in sub[0].choices:
            self = sub[0].choices[args[0]]
        _report(self, result)
        raise _Done()

    parser: Any = argparse.ArgumentParser
    parser.parse_known_args = parser.parse_args = parse
    sys.argv = [script, *args, "--help"]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    if os.getcwd() not in sys.path:
        sys.path.insert(1, os.getcwd())
    module: Any = type(sys)("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    with open(script, "rb") as f:
        code = compile(f.read(), script, "exec")
    try:
        exec(code, module.__dict__)
    except _Done:
        pass


if __name__ == "__main__":
    main()
