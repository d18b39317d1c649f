"""A way to stop a real process at its n-th change of the file system: a `sitecustomize` on its PYTHONPATH.

It acts in the first process only whose module (`-m NAME`) is the wanted one, and only once (it takes a file
away).
"""

from pathlib import Path

SOURCE = """
import os, signal, sys

wanted, number, once = os.environ["SHIM_MODULE"], int(os.environ["SHIM_AT"]), os.environ["SHIM_ONCE"]
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.utime", "os.link", "os.symlink"}
count = 0


def hook(event, args):
    global count
    if event == "open":
        flags = args[2] or 0
        if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or "/dev/" in str(args[0]):
            return
    elif event not in CHANGES:
        return
    count += 1
    if count == number:
        try:
            os.rename(once, once + ".taken")
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


argv = sys.orig_argv
if os.path.exists(once) and any(a == "-m" and b == wanted for a, b in zip(argv, argv[1:])):
    sys.addaudithook(hook)
elif os.path.exists(once) and "-um" in argv and wanted in argv:
    sys.addaudithook(hook)
"""


def shim_env(directory: Path, module: str, at: int) -> dict[str, str]:
    """The environment in which the first process of `module` is killed before its `at`-th change."""
    (directory / "shim").mkdir(exist_ok=True)
    (directory / "shim" / "sitecustomize.py").write_text(SOURCE)
    once = directory / f"once-{module}-{at}"
    once.touch()
    return {
        "PYTHONPATH": str(directory / "shim"),
        "SHIM_MODULE": module,
        "SHIM_AT": str(at),
        "SHIM_ONCE": str(once),
    }


def has_struck(env: dict[str, str]) -> bool:
    return not Path(env["SHIM_ONCE"]).exists()
