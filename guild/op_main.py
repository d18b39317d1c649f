"""Inside the job: `python -um guild.op_main MAIN [ARG]... [--] [FLAG ARG]...` runs MAIN as `__main__`.

MAIN is a module (`train`, `pkg.mod`) or a path without `.py` (`sub/train`), looked up below the directories
that GUILD_SOURCECODE names. FLAGS_DEST says where flags go: to the arguments (`args`), to a script's global
variables (`globals`, `global:NAME`, `dict:NAME`, `namespace:NAME`), or not to it (`config:FILE`, `none`).

Runs on the user's interpreter: Python 3.8 syntax, standard library only, and little of that.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = {
    "null": None, "Null": None, "NULL": None, "~": None, "": None,
    "true": True, "True": True, "TRUE": True, "yes": True, "Yes": True, "YES": True,
    "on": True, "On": True, "ON": True,
    "false": False, "False": False, "FALSE": False, "no": False, "No": False, "NO": False,
    "off": False, "Off": False, "OFF": False,
    ".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip
_OWN_FILES = (
    *(__file__, os.path.join(os.path.dirname(__file__), "op_debug.py")),
    *("<frozen runpy>", getattr(sys.modules.get("runpy"), "__file__", "")),
)
# Patterns as texts: `re` is loaded where a value is decoded, so not for a script that takes arguments.
_INT = r"(0|-?[1-9][0-9]*)\Z"
_FLOAT = r"-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?\Z"
_PLAIN = r"[A-Za-z_/][A-Za-z0-9_./+@\- ]*\Z"
_QUOTED = r"'((?:[^'\n]|'')*)'\Z"


def main(argv: list[str]) -> None:
    """Run `argv[0]` with the rest as its arguments and flags."""
    if not argv:
        sys.exit("guild: usage: python -m guild.op_main MAIN [ARG]...")
    name, args = argv[0], argv[1:]
    roots = _sourcecode_roots()
    path, spec = _find(name, roots)
    base, flags = _split(args)
    dest = os.environ.get("FLAGS_DEST", "args")
    presets: dict[str, Any] = {}
    if dest == "globals" or dest.partition(":")[0] in ("global", "dict", "namespace"):
        presets = _globals(dest, flags)
        sys.argv = [path, *base]
    elif dest == "none" or dest.startswith("config:"):
        sys.argv = [path, *base]
    else:
        sys.argv = [path, *base, *flags]
    _configure_logging()
    _run(path, spec, presets)


def _sourcecode_roots() -> list[str]:
    """Absolute directories of the source code, put first on the module path."""
    dests = os.environ.get("GUILD_SOURCECODE") or "."
    roots = [os.path.abspath(d) for d in dests.split(":")]
    sys.path[:] = roots + [p for p in sys.path if p and os.path.abspath(p) not in roots]
    return roots


def _find(name: str, roots: list[str]) -> tuple[str, Any]:
    """(absolute path of the source file, its module spec: None for a script)."""
    if "/" in name or name.endswith(".py"):
        relative = name[:-3] if name.endswith(".py") else name
        for root in roots:
            path = os.path.join(root, relative + ".py")
            if os.path.isfile(path):
                # As with `python sub/train.py`: what lies beside it comes first.
                beside = os.path.dirname(path)
                if beside not in sys.path:
                    sys.path.insert(0, beside)
                return path, None
        name = relative.replace("/", ".")
    if "." not in name:
        for root in roots:
            path = os.path.join(root, name + ".py")
            if os.path.isfile(path):
                return path, None
    return _find_module(name)


def _find_module(name: str) -> tuple[str, Any]:
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(name + ".__main__")
    except (ImportError, ValueError, AttributeError) as e:
        if getattr(e, "name", None) not in (None, name, name.partition(".")[0]):
            raise
        spec = None
    if spec is None or not spec.origin or not os.path.isfile(spec.origin):
        place = "neither %s.py in the source code of the run nor a module of %s"
        sys.exit("guild: No module named %s (%s)" % (name, place % (name.replace(".", "/"), sys.executable)))
    return os.path.abspath(spec.origin), spec


def _split(args: list[str]) -> tuple[list[str], list[str]]:
    """Arguments before the last `--`, and those behind it; all are flags where there is none."""
    if "--" not in args:
        return [], args
    at = len(args) - 1 - args[::-1].index("--")
    return args[:at], args[at + 1 :]


def _globals(dest: str, flags: list[str]) -> dict[str, Any]:
    """The global variables to preset."""
    values: dict[str, Any] = {}
    for i in range(0, len(flags) - 1, 2):
        values[flags[i][2:] if flags[i].startswith("--") else flags[i]] = decode(flags[i + 1])
    if dest == "globals":
        return values
    kind, _, variable = dest.partition(":")
    nested = _nest(values)
    return {variable: _namespace(nested) if kind == "namespace" else nested}


def _nest(values: dict[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` -> `{"a": {"b": 1}}`."""
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *parents, last = name.split(".")
        level = nested
        for parent in parents:
            level = level.setdefault(parent, {})
            if not isinstance(level, dict):
                sys.exit("guild: flag %s is both a value and a group of flags" % parent)
        level[last] = value
    return nested


def _namespace(nested: dict[str, Any]) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(**{k: _namespace(v) if isinstance(v, dict) else v for k, v in nested.items()})


def decode(text: str) -> Any:
    """The value of a flag's text: YAML, read without a YAML library wherever that is plain."""
    import re

    if text in _WORDS:
        return _WORDS[text]
    if re.match(_INT, text):
        return int(text)
    is_float = bool(re.match(_FLOAT, text))
    if is_float and not text.lstrip("-").isdigit():
        return float(text)
    if re.match(_PLAIN, text) and text == text.strip():
        return text
    quoted = re.match(_QUOTED, text)
    if quoted:
        return quoted.group(1).replace("''", "'")
    return _decode_yaml(text, is_float)


def _decode_yaml(text: str, is_float: bool) -> Any:
    try:
        import yaml
    except ImportError:
        import json

        try:
            return json.loads(text)
        except ValueError:
            sys.stderr.write(
                "WARNING: no YAML library here to read the flag value %r: taken as text\n" % text
            )
            return text
    try:
        value = yaml.safe_load(text)
    except Exception:
        return text
    return float(text) if is_float and value == text else value


def _configure_logging() -> None:
    """The root logger, INFO and up to stderr; set up when, and only if, somebody imports `logging`."""
    if "logging" in sys.modules:
        _set_up_root_logger(sys.modules["logging"])
    else:
        finders: list[Any] = sys.meta_path
        finders.insert(0, _OnLogging())


class _OnLogging:
    """Sees the import of `logging`, and sets up the root logger after it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "logging":
            return None
        finders: list[Any] = sys.meta_path
        finders.remove(self)
        for finder in finders:
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _after_exec(spec.loader, _set_up_root_logger)
                return spec
        return None


def _after_exec(loader: Any, action: Any) -> None:
    exec_module = loader.exec_module

    def exec_and_act(module: Any) -> None:
        exec_module(module)
        action(module)

    loader.exec_module = exec_and_act


def _set_up_root_logger(logging: Any) -> None:
    level = os.environ.get("LOG_LEVEL", "")
    root = logging.getLogger()
    if root.handlers:
        return
    root.setLevel(int(level) if level.isdigit() else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: [%(name)s] %(message)s"))
    root.addHandler(handler)


def _run(path: str, spec: Any, presets: dict[str, Any]) -> None:
    """Execute the file as `__main__`, as Python itself would: `__file__`, pickling and tracebacks work."""
    with open(path, "rb") as f:
        source = f.read()
    module: Any = type(sys)("__main__")
    module.__file__ = path
    # As `python -m` does it; for a script the package is None, as `python train.py` does it.
    module.__spec__ = spec
    module.__package__ = spec.parent if spec is not None else None
    module.__builtins__ = globals()["__builtins__"]
    module.__dict__.update(presets)
    # Our own module must stay alive while its functions run.
    sys.modules["guild.op_main"] = sys.modules["__main__"]
    sys.modules["__main__"] = module
    _hide_own_frames()
    code = _compile(source, path, presets)
    if os.environ.get("PDB_BREAKS") or os.environ.get("BREAK_ON_ERROR"):
        from guild.op_debug import prepare

        if prepare(path, code, module.__dict__):
            return
    exec(code, module.__dict__)


def _hide_own_frames() -> None:
    """Tracebacks begin in the user's code; a syntax error names its place itself."""
    shown: Any = sys.excepthook

    def hook(kind: Any, error: Any, trace: Any) -> None:
        while trace is not None and trace.tb_frame.f_code.co_filename in _OWN_FILES:
            trace = trace.tb_next
        shown(kind, error.with_traceback(trace), trace)

    sys.excepthook = hook


def _compile(source: bytes, path: str, presets: dict[str, Any]) -> Any:
    if not presets:
        return compile(source, path, "exec", dont_inherit=True)
    import ast

    tree: Any = compile(source, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    left = set(presets)
    tree.body = [_without(node, left, ast) for node in tree.body]
    return compile(tree, path, "exec", dont_inherit=True)


def _without(node: Any, names: set[str], ast: Any) -> Any:
    """The statement without its assignments to these names, which are then taken from `names`: only the
    first assignment of a variable gives way to the flag."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        if isinstance(node.target, ast.Name) and node.target.id in names:
            names.remove(node.target.id)
            node.value = None  # `x: int = 1` -> `x: int`
        return node
    if not isinstance(node, ast.Assign):
        return node
    flags = [t.id for t in node.targets if isinstance(t, ast.Name) and t.id in names]
    if not flags:
        return node
    names.difference_update(flags)
    rest = [t for t in node.targets if not (isinstance(t, ast.Name) and t.id in flags)]
    if rest:
        node.targets = rest
        return node
    return ast.copy_location(ast.Pass(), node)


if __name__ == "__main__":
    main(sys.argv[1:])
