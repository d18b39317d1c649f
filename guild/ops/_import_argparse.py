"""Runs in a child: executes a script with `--help` and reports its options instead of parsing arguments.

`python _import_argparse.py SPEC`, where SPEC is JSON: `kind` (`argparse` or `click`), `script`, `module`
(dotted, empty for a plain script), `path` (directories to find modules in), `args`, and `result` and `done`,
the files to report to. Python 3.8, standard library only.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_CHOICES = 1000


class _Done(BaseException):
    """All is known: nothing else of the script is to run."""


def _plain(value: Any) -> Any:
    """A value as JSON has it; None for what only the script itself can make."""
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value) if hasattr(value, "__fspath__") else None


def _joined(values: Any) -> Any:
    """The blank-joined text of several values, to be split again."""
    import shlex

    if not isinstance(values, (list, tuple)):
        return _plain(values)
    plain = [_plain(v) for v in values]
    return None if None in plain else " ".join(shlex.quote(str(v)) for v in plain)


def _choices(values: Any) -> list[Any]:
    from itertools import islice

    try:
        found = list(islice(values or (), _MAX_CHOICES + 1))
    except TypeError:
        return []
    plain = [_plain(v) if _plain(v) is not None else str(v) for v in found]
    return [] if len(found) > _MAX_CHOICES else plain


def _long(options: Any) -> str | None:
    return next((o[2:] for o in options if o.startswith("--")), None)


def _switch(flag: dict[str, Any], default: bool, value: Any, arg_name: str | None = None) -> dict[str, Any]:
    """An option without a value, which is given iff the flag is `value`."""
    flag.update(default=default, type="boolean", choices=[True, False], switch=value, arg_name=arg_name)
    return flag


# argparse.


_TYPES = {int: "int", float: "float", str: "string", bool: "boolean"}


def _argparse_flag(parser: Any, action: Any) -> dict[str, Any] | None:
    import argparse

    name = _long(action.option_strings)
    if name is None:
        return None
    default = None if action.default is argparse.SUPPRESS else action.default
    flag = {"name": name, "help": _help(parser, action), "required": bool(action.required)}
    if isinstance(action, argparse._StoreTrueAction):
        return _switch(flag, default is True, True)
    if isinstance(action, argparse._StoreFalseAction):
        return _switch(flag, default is not False, False)
    optional = getattr(argparse, "BooleanOptionalAction", None)
    if optional is not None and isinstance(action, optional):
        negative = next((o[2:] for o in action.option_strings if o.startswith("--no-")), None)
        if default and negative:
            return _switch(flag, True, False, negative)
        return _switch(flag, False, True)
    if not isinstance(action, argparse._StoreAction):
        return None  # count, append, version, one of the script's own: no value that could be passed
    split = action.nargs in ("+", "*") or isinstance(action.nargs, int)
    types = {int: "int", float: "float"} if split else _TYPES  # of several texts each is what it is
    known = types.get(action.type) if isinstance(action.type, type) else None
    value = _joined(default) if split else _plain(default)
    flag.update(default=value, split=split, type=known, choices=_choices(action.choices))
    return flag


def _help(parser: Any, action: Any) -> str:
    import argparse

    if not action.help or action.help is argparse.SUPPRESS:
        return ""
    try:
        return str(parser._get_formatter()._expand_help(action))
    except Exception:
        return str(action.help)


def _argparse_flags(parser: Any, args: list[str]) -> list[Any]:
    """Those of the sub-command that the arguments name, else of the parser itself."""
    import argparse

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for at, arg in enumerate(args):
                if arg in action.choices:
                    return _argparse_flags(action.choices[arg], args[at + 1 :])
    return [_argparse_flag(parser, action) for action in parser._actions]


def _patch_argparse(spec: dict[str, Any]) -> None:
    import argparse

    def parse(self: Any, args: Any = None, namespace: Any = None) -> Any:
        _report(spec, _argparse_flags(self, spec["args"]))
        raise _Done

    parser: Any = argparse.ArgumentParser
    parser.parse_known_args = parse


# click.


def _click_flag(option: Any) -> dict[str, Any] | None:
    name = _long(option.opts)
    if name is None or getattr(option, "count", False):
        return None
    default = option.default
    flag = {"name": name, "help": option.help or "", "required": bool(option.required)}
    if option.is_flag:
        if not getattr(option, "is_bool_flag", False):
            return None
        negative = _long(option.secondary_opts)
        return _switch(flag, default is True, default is not True, negative if default is True else None)
    kinds = {"Int": "int", "Float": "float", "Bool": "boolean", "String": "string"}
    kind = type(option.type).__name__
    known = next((t for start, t in kinds.items() if kind.startswith(start)), None)
    split = option.nargs != 1
    value = _joined(default) if split else _plain(default)
    flag.update(default=value, split=split, type=None if split else known)
    flag["choices"] = _choices(getattr(option.type, "choices", None))
    return flag


def _click_flags(command: Any, args: list[str]) -> list[Any]:
    library = _click()
    if hasattr(command, "get_command"):
        for at, arg in enumerate(args):
            found = command.get_command(library.Context(command), arg)
            if found is not None:
                return _click_flags(found, args[at + 1 :])
    return [_click_flag(p) for p in command.params if isinstance(p, library.Option)]


def _click() -> Any:
    """The script's own click."""
    from importlib import import_module

    return import_module("click")


def _patch_click(spec: dict[str, Any]) -> None:
    def main(self: Any, *args: Any, **kwargs: Any) -> Any:
        _report(spec, _click_flags(self, spec["args"]))
        raise _Done

    _click().Command.main = main


# The script.


def _report(spec: dict[str, Any], flags: list[Any]) -> None:
    """Write the flags, and the files that they may depend on; a second file says that all is written."""
    import json
    import os

    found = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    files = sorted({os.path.abspath(f) for f in found if isinstance(f, str)})
    with open(spec["result"], "w") as f:
        json.dump({"flags": [flag for flag in flags if flag], "files": files}, f)
    open(spec["done"], "w").close()


def main() -> None:
    import os

    # What lies beside this file must not hide modules of the standard library, or of the user.
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.realpath(p or ".") != here]
    import json
    import runpy

    spec = json.loads(sys.argv[1])
    (_patch_click if spec["kind"] == "click" else _patch_argparse)(spec)
    sys.path[:0] = spec["path"]
    sys.argv = [spec["script"], *spec["args"], "--help"]
    try:
        if spec["module"]:
            runpy.run_module(spec["module"], run_name="__main__", alter_sys=True)
        else:
            _run(spec["script"])
    except _Done:
        pass


def _run(script: str) -> None:
    """As `python SCRIPT`; `runpy.run_path` would forget the globals when it ends."""
    module = type(sys)("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    with open(script, "rb") as f:
        code = compile(f.read(), script, "exec")
    exec(code, module.__dict__)


if __name__ == "__main__":
    main()
