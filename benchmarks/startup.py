"""Whole commands, each as a ratio to a program that only imports click, measured in turn with it."""

import sys
from pathlib import Path

from benchmarks.harness import arguments, installed_command, report, run, summary, workplace

CLICK = "import click; click.command()(lambda: None)"


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("-n", type=int, default=15)
    args = parser.parse_args()
    guild = installed_command()
    commands = {
        "guild --version": [*guild, "--version"],
        "guild runs, empty home": [*guild, "runs"],
        "guild run train.py --stage": [*guild, "run", "train.py", "--stage", "-y"],
        "guild run train.py": [*guild, "run", "train.py", "-y"],
    }
    figures: dict[str, object] = {}
    with workplace("x = 1\nprint(x)\n") as (project, env):
        for name, argv in commands.items():
            ours, floor = _in_turn(argv, project, env, args.n)
            figures[name] = {**ours, "x click": round(ours["median_ms"] / floor["median_ms"], 2)}
    report("startup", figures, args.json)


def _in_turn(
    argv: list[str], project: Path, env: dict[str, str], n: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The command and the floor, one after the other, so that both see the same machine."""
    ours, floor = [], []
    for _ in range(n + 1):
        floor.append(run([sys.executable, "-c", CLICK], project, env))
        ours.append(run(argv, project, env))
    return summary(ours[1:]), summary(floor[1:])


if __name__ == "__main__":
    main()
