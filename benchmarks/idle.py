"""CPU time of an idle queue: its supervisor, its process, and the waiting supervisor, over a minute."""

import subprocess
import time

import psutil

from benchmarks.harness import arguments, installed_command, report, workplace


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(p.cpu_times()[:2]) for p in processes)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    with workplace("") as (project, env):
        queue = subprocess.Popen(
            [*installed_command(), "run", "queue", "-y"], cwd=project, env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            time.sleep(5)  # started, idle, everything imported
            root = psutil.Process(queue.pid)
            processes = [root, *root.children(recursive=True)]
            before = _cpu(processes)
            time.sleep(args.seconds)
            used = _cpu(processes) - before
            memory = sum(p.memory_info().rss for p in processes) / 1e6
        finally:
            queue.terminate()
            queue.wait()
    figures = {
        f"CPU seconds in {args.seconds:g} s": round(used, 3),
        "processes": len(processes),
        "resident MB, all": round(memory, 1),
    }
    report("idle", figures, args.json)


if __name__ == "__main__":
    main()
