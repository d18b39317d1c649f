"""Staging from trees with many source files, next to staging a project of one file: what the files cost.

Once in a directory as it is and once in a git project. All are staged in turn, so that they see the same
machine; the limit for the number of files is raised.
"""

import subprocess
from pathlib import Path

from benchmarks.harness import arguments, installed_command, report, run, summary, workplace

TRAIN = "x = 1\nprint(x)\n"
MODULE = "".join(f"def f{n}(x):\n    return x * {n} + 1\n\n\n" for n in range(80))
DIRECTORIES = 20
GOAL_MS = 300


def make_tree(project: Path, count: int) -> None:
    """Write `count` source files of some 3 kB, spread over directories; with `train.py` it is one more."""
    project.mkdir(exist_ok=True)
    (project / "train.py").write_text(TRAIN)
    for number in range(count):
        directory = project / f"package{number % DIRECTORIES}"
        directory.mkdir(exist_ok=True)
        (directory / f"module{number}.py").write_text(f"# {number}\n{MODULE}")


def commit_all(project: Path, env: dict[str, str]) -> None:
    """Make a git project of a directory, with all of it committed."""
    name = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for args in (["init", "-q"], ["add", "."], [*name, "commit", "-qm", "all"]):
        subprocess.run(["git", *args], cwd=project, env=env, check=True)


def _stage(projects: dict[str, Path], env: dict[str, str], n: int) -> dict[str, list[float]]:
    """Seconds of staging by project; each round stages all of them, the first round does not count."""
    command = [*installed_command(), "run", "train.py", "--stage", "-y"]
    seconds: dict[str, list[float]] = {name: [] for name in projects}
    for _ in range(n + 1):
        for name, project in projects.items():
            seconds[name].append(run(command, project, env))
    return {name: values[1:] for name, values in seconds.items()}


def _files_staged(home: Path) -> int:
    """How many files of source code the run with the most has."""
    manifests = (home / "runs").glob("*/.guild/manifest")
    return max(sum(line.startswith("s ") for line in m.read_text().splitlines()) for m in manifests)


def _projects(one: Path, env: dict[str, str], count: int) -> dict[str, Path]:
    """Directories by name: one file and `count` files, each as it is and in a git project."""
    found = {"one file": one}
    for name, files in (("one file, git", 0), (f"{count} files", count), (f"{count} files, git", count)):
        found[name] = one.parent / name.replace(", ", "-").replace(" ", "-")
        make_tree(found[name], files)
        if name.endswith("git"):
            commit_all(found[name], env)
    return found


def _figures(seconds: dict[str, list[float]]) -> dict[str, object]:
    figures: dict[str, object] = {}
    floor = summary(seconds["one file"])["median_ms"]
    for name, values in seconds.items():
        got = summary(values)
        figures[f"stage, {name}"] = got
        if name != "one file":
            beyond = round(got["median_ms"] - floor, 1)
            figures["  ratio, ms over one file: " + name] = (round(got["median_ms"] / floor, 2), beyond)
    figures["goal for ms over one file"] = GOAL_MS
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("-n", type=int, default=10)
    parser.add_argument("--files", type=int, default=500)
    args = parser.parse_args()
    with workplace(TRAIN) as (one, env):
        env["MAX_DEFAULT_SOURCECODE_COUNT"] = str(args.files + 10)
        seconds = _stage(_projects(one, env, args.files), env, args.n)
        assert _files_staged(Path(env["GUILD_HOME"])) == args.files + 1
    report("source", _figures(seconds), args.json)


if __name__ == "__main__":
    main()
