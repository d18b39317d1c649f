"""How the rules of the house are looked up in the source: from modules to a list of faults, in words.

Every check takes `{module name: syntax tree}`, so that the tests can also show it a small house that
breaks the rule. Exceptions stand here, each with its reason; the lists may only shrink.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
Modules = Mapping[str, ast.Module]

# Downwards only: a module may import what has a lower rank, and its own room.
RANKS = {
    **dict.fromkeys(("guild", "guild.errors", "guild.home"), 0),
    "guild.base": 1,
    "guild.config": 2,
    "guild.ops": 2,
    "guild.runs": 3,
    "guild.launch": 4,
    "guild.scheduler": 5,
    "guild.plugin": 6,
    "guild.plugins": 7,
    "guild.op_debug": 6,
    **dict.fromkeys(("guild.op_main", "guild.summary", "guild.pass"), 7),
    "guild.op_util": 8,
    **dict.fromkeys(("guild.batch_main", "guild.batch_util"), 7),
    "guild.app": 8,
    "guild.commands": 9,
    **dict.fromkeys(("guild.cli", "guild.steps_main"), 10),
    "guild.__main__": 11,
}
# Entries of processes of their own: they speak to their reader, and exit.
ENTRIES = re.compile(
    r"guild\.(__main__|op_main|op_debug|pass|batch_main|batch_util|steps_main|plugins\.\w+_main|launch\.supervise)$"
)
# They run on the user's interpreter.
CHILD_SIDE = (
    *("guild", "guild.op_main", "guild.op_debug", "guild.pass", "guild.op_util", "guild.summary"),
    "guild.base.tfrecord",
)

PURE = (
    *("guild.ops.opref", "guild.ops.opdef", "guild.ops.flags", "guild.ops.flag_values"),
    *("guild.runs.status", "guild.runs.resources"),
    *("guild.runs.expressions", "guild.runs.evaluation", "guild.runs.time_range"),
    *("guild.launch.spec", "guild.launch.command", "guild.launch.environ", "guild.launch.label"),
    *("guild.launch.batch", "guild.scheduler.model", "guild.scheduler.policy"),
)
IMPURE = {
    *("os", "subprocess", "time", "shutil", "socket", "tempfile", "glob", "threading", "multiprocessing"),
    *("psutil", "watchdog", "random", "fcntl", "signal", "io"),
}
# os.path's functions on texts alone.
TEXTUAL = {
    "basename",
    "commonpath",
    "dirname",
    "isabs",
    "join",
    "normpath",
    "relpath",
    "split",
    "splitext",
    "sep",
}
POLICY_REACHES = {"guild.scheduler.model", "guild.scheduler.policy", "guild.runs.resources"}

BANNED_NAMES = {"util", "utils", "support", "helpers", "impl", "common", "misc"}
MAX_FILE, MAX_FUNCTION = 400, 40


def load(package: Path = ROOT / "guild") -> dict[str, ast.Module]:
    """All modules of the package, but for `onpath`, which stands for it on a job's path."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if "onpath" not in parts:
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports(name: str, modules: Modules) -> Iterator[tuple[str, int]]:
    """(module, line) of every import in a module, those in functions included."""
    for node in ast.walk(modules[name]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name.split(".") if _is_package(name, modules) else name.split(".")[:-1]
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full if full in modules else base), node.lineno


def _is_package(name: str, modules: Modules) -> bool:
    return any(other.startswith(name + ".") for other in modules)


def own_imports(name: str, modules: Modules) -> Iterator[tuple[str, int]]:
    """Of the imports, those of Guild's own modules."""
    return ((m, line) for m, line in imports(name, modules) if m.split(".")[0] == "guild" and m != name)


def rank(name: str) -> int | None:
    """The rank of a module's room."""
    room = name
    while room not in RANKS and room.count(".") > 1:
        room = room.rpartition(".")[0]
    return RANKS.get(room)


def _room(name: str) -> str:
    return ".".join(name.split(".")[:2])


def layer_faults(modules: Modules) -> list[str]:
    faults = [f"{name}: belongs to no room" for name in modules if rank(name) is None]
    for name in modules:
        for target, line in own_imports(name, modules):
            mine, theirs = rank(name), rank(target)
            if mine is None or theirs is None or theirs < mine or _room(target) == _room(name):
                continue
            faults.append(f"{name}:{line}: imports {target}, which is not below it")
    return faults


def plugin_faults(modules: Modules) -> list[str]:
    """`plugin.py` is imported by `app`, `commands` and plugins only."""
    allowed = ("guild.app", "guild.commands", "guild.plugins")
    return [
        f"{name}:{line}: imports guild.plugin"
        for name in modules
        for target, line in own_imports(name, modules)
        if target == "guild.plugin" and not name.startswith(allowed)
    ]


def cycles(modules: Modules) -> list[str]:
    """One line for each import that closes a circle (lazy ones and those for types included)."""
    graph = {
        name: sorted({t for t, _ in own_imports(name, modules) if t in modules and t != "guild"})
        for name in modules
    }
    done: set[str] = set()
    found = []

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append(" -> ".join([*trail[trail.index(name) :], name]))
        elif name not in done:
            for target in graph[name]:
                visit(target, [*trail, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


def reach(name: str, modules: Modules) -> set[str]:
    """All of Guild's modules that a module leads to, itself included."""
    found, todo = {name}, [name]
    while todo:
        for target, _ in own_imports(todo.pop(), modules):
            if target in modules and target not in found:
                found.add(target)
                todo.append(target)
    return found


def purity_faults(modules: Modules) -> list[str]:
    faults = []
    for name in PURE:
        if name not in modules:
            continue
        for target, line in imports(name, modules):
            if target.split(".")[0] in IMPURE and target != "os.path":
                faults.append(f"{name}:{line}: imports {target}")
        for node in ast.walk(modules[name]):
            what = _impure_use(node)
            if what:
                faults.append(f"{name}:{getattr(node, 'lineno', 0)}: uses {what}")
    if "guild.scheduler.policy" in modules:
        beyond = reach("guild.scheduler.policy", modules) - POLICY_REACHES
        faults += [f"guild.scheduler.policy: reaches {name}" for name in sorted(beyond)]
    return faults


def _impure_use(node: ast.AST) -> str:
    """What a node of a pure module uses that asks the world, if it does."""
    if isinstance(node, ast.Attribute):
        full = dotted(node)
        if full.startswith("os.path.") and full.removeprefix("os.path.") not in TEXTUAL:
            return full
        if full.startswith("os.") and not full.startswith("os.path"):
            return full
        if full in ("pathlib.Path", "datetime.datetime.now", "datetime.date.today"):
            return full
    if isinstance(node, ast.ImportFrom):
        banned = {"pathlib": {"Path"}, "os.path": {a.name for a in node.names} - TEXTUAL}
        return ", ".join(a.name for a in node.names if a.name in banned.get(node.module or "", ()))
    if isinstance(node, ast.Call) and dotted(node.func) in ("open", "input", "print", "__import__", "exec"):
        return dotted(node.func)
    return ""


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a chain of attributes; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def texts(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """(text, line) of every string in a module that is not a docstring."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value, node.lineno


def speech_faults(modules: Modules, spoken: Mapping[tuple[str, str], str]) -> list[str]:
    """Who prints, asks or exits without being a command, the root command or an entry."""
    faults = []
    for name, tree in modules.items():
        if name.startswith("guild.commands") or name == "guild.cli" or ENTRIES.match(name):
            continue
        for node in ast.walk(tree):
            what = ""
            if isinstance(node, ast.Call):
                what = dotted(node.func)
            elif isinstance(node, ast.Raise) and node.exc is not None:
                what = dotted(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
            elif isinstance(node, ast.Attribute) and dotted(node) in (
                "sys.stdout",
                "sys.stderr",
                "sys.stdin",
            ):
                what = dotted(node)
            if re.match(
                r"(print|input|exit|quit|SystemExit|sys\.(exit|std\w+)|os\._exit|click\..*)$", what
            ) and ((name, what) not in spoken):
                faults.append(f"{name}:{node.lineno}: {what}")
        faults += [
            f"{name}:{n}: imports click" for m, n in imports(name, modules) if m.split(".")[0] == "click"
        ]
    return faults


def name_faults(modules: Modules) -> list[str]:
    faults = [f"{name}: says nothing" for name in modules if BANNED_NAMES & {*name.split(".")}]
    for name, tree in modules.items():
        if _is_package(name, modules) and name != "guild":
            only_doc = len(tree.body) == 1 and ast.get_docstring(tree)
            faults += [] if only_doc else [f"{name}: __init__.py holds more, or less, than a docstring"]
    return faults


def size_faults(modules: Modules, sources: Mapping[str, str]) -> list[str]:
    faults = []
    for name, tree in modules.items():
        lines = sources[name].count("\n")
        if lines > MAX_FILE:
            faults.append(f"{name}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                long = (node.end_lineno or node.lineno) - node.lineno + 1
                if long > MAX_FUNCTION:
                    faults.append(f"{name}:{node.lineno}: {node.name} has {long} lines")
    return faults


def child_side_faults(modules: Modules) -> list[str]:
    """What runs on the user's interpreter: the standard library, and YAML where it is there."""
    return [
        f"{name}:{line}: imports {target}"
        for name in CHILD_SIDE
        if name in modules
        for target, line in imports(name, modules)
        if target not in CHILD_SIDE and target.split(".")[0] not in {*sys.stdlib_module_names, "yaml"}
    ]


# The constants of `runs/layout.py` whose files say what state a run is in. Few read them; one writes them.
MARKERS = {"PENDING", "STAGED", "LOCK", "LOCK_REMOTE", "LEASE", "ORDER"}
# Anybody may read these; they are written along with a change of status.
TIMES = {"EXIT_STATUS", "STARTED", "STOPPED", "REASON"}
# The text of those that no sentence would hold by chance.
MARKER_NAMES = {"PENDING", "STAGED", "LOCK", "LOCK.remote", "lease.json", "order.json", "recipe.json"}
_GUILD_DIR = re.compile(r"(^|/)\.guild($|/)")
_WRITE = re.compile(
    r"(^|\.)(write\w*|touch|unlink|delete\w*|remove\w*|rename|replace|symlink\w*|link|truncate|copy\w*)$"
)


def spelling_faults(modules: Modules, spelled: Mapping[tuple[str, str], str]) -> list[str]:
    """Who spells a name below `.guild` and does not live in `runs/`."""
    return [
        f"{name}:{line}: spells {text!r}"
        for name, tree in modules.items()
        if not name.startswith("guild.runs")
        for text, line in texts(tree)
        if (text in MARKER_NAMES or _GUILD_DIR.search(text)) and (name, text) not in spelled
    ]


def names_used(tree: ast.AST, names: set[str]) -> set[str]:
    """Which of these constants of `layout` occur below a node, as `layout.X`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and dotted(node).startswith("layout.") and node.attr in names
    }


def marker_faults(modules: Modules, readers: Mapping[str, str], writers: Mapping[str, str]) -> list[str]:
    """Who uses a marker without being among its readers, or writes one without being a writer."""
    faults = []
    for name, tree in modules.items():
        if name in writers or name == "guild.runs.layout":
            continue
        used = names_used(tree, MARKERS)
        if used and name not in readers:
            faults.append(f"{name}: uses {', '.join(sorted(used))}")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "guild.runs.layout":
                faults.append(f"{name}:{node.lineno}: takes names out of layout, where they are not seen")
            if isinstance(node, ast.Call) and _WRITE.search(_callee(node)):
                written = names_used(node, MARKERS | TIMES)
                faults += [f"{name}:{node.lineno}: {_callee(node)} of {m}" for m in sorted(written)]
    return faults


def _callee(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)


def rename_faults(modules: Modules, renamers: Mapping[str, str]) -> list[str]:
    """Who renames, and so could move a run, without being allowed to."""
    moves = {"os.rename", "os.replace", "os.renames", "shutil.move"}
    return [
        f"{name}:{node.lineno}: {ast.unparse(node)[:60]}"
        for name, tree in modules.items()
        if name not in renamers
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (dotted(node.func) in moves or _callee(node) == "rename")
    ]
