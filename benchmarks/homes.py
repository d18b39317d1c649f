"""Homes with many runs, as files alone: made by hand in the form of Guild 0.9, quicker than by running."""

import os
from pathlib import Path

from guild.base import yamlio
from guild.base.tfrecord import first_record, scalar_record

EPOCH = 1_700_000_000_000_000  # µs
# So many runs in all get event files: what compares them compares these.
WITH_SCALARS = 1_000
STEPS = 20


def make_home(home: Path, runs: int) -> None:
    """`home` with so many ended runs of `train`; the newest `WITH_SCALARS` have three scalars of 20 steps."""
    (home / "runs").mkdir(parents=True)
    for at in range(runs):
        _make_run(home / "runs" / f"{at * 2654435761 % (1 << 128):032x}", at, at >= runs - WITH_SCALARS)


def _make_run(path: Path, at: int, with_scalars: bool) -> None:
    guild_dir = path / ".guild"
    os.makedirs(guild_dir / "attrs")
    started = EPOCH + at * 60_000_000
    _write(guild_dir / "opref", b"guildfile:/projects/digits/guild.yml 4a1f '' train")
    _write(guild_dir / "manifest", b"s train.py 0b52 train.py\n")
    _write(path / "train.py", b"print('x')\n")
    attrs = {
        "id": path.name,
        "initialized": started,
        "started": started,
        "stopped": started + 30_000_000,
        "exit_status": 0 if at % 10 else 1,
        "flags": {"lr": 0.001 * (at % 97), "layers": at % 5, "optimizer": "adam", "seed": at},
        "label": f"lr={0.001 * (at % 97):.3f} layers={at % 5} seed={at}",
        "cmd": ["python", "-um", "guild.op_main", "train"],
    }
    for name, value in attrs.items():
        _write(guild_dir / "attrs" / name, yamlio.encode(value))
    if with_scalars:
        records = [
            scalar_record(tag, 1.0 / (step + 1) + at, step)
            for step in range(STEPS)
            for tag in ("loss", "acc", "val/loss")
        ]
        name = f"events.out.tfevents.{started // 1_000_000:010d}.host.1.0"
        _write(guild_dir / name, b"".join([first_record(), *records]))


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(fd, data)
    os.close(fd)
