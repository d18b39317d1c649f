"""Run directories as they would have been left: made by hand, without any process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guild.base import yamlio
from guild.runs import layout
from guild.runs.run import Run

EPOCH = 1_700_000_000_000_000  # µs


def make_run(
    home: Path,
    run_id: str,
    op: str = "train",
    *,
    started: int | None = EPOCH,
    status: str = "completed",
    model: str = "",
    opref: str | None = None,
    where: str = "runs",
    attrs: Mapping[str, Any] | None = None,
) -> Run:
    """A run with this status. `started` in seconds after EPOCH where it is small, else in µs."""
    run = Run(home / where / run_id)
    (run.guild_dir / layout.ATTRS).mkdir(parents=True)
    text = opref if opref is not None else f"guildfile:/projects/p/guild.yml abc '{model}' {op}"
    (run.guild_dir / layout.OPREF).write_text(text)
    found: dict[str, Any] = dict(attrs or {})
    if started is not None:
        found["started"] = EPOCH + started * 1_000_000 if started < EPOCH else started
    code = {"completed": 0, "error": 1, "terminated": -15}.get(status)
    if code is not None:
        found.update({"exit_status": code, "stopped": found.get("started", EPOCH) + 5_000_000})
    for name, value in found.items():
        (run.guild_dir / layout.ATTRS / name).write_bytes(yamlio.encode(value))
    if status in ("staged", "pending"):
        (run.guild_dir / status.upper()).touch()
    return run


def damage(run: Run, attr: str, data: bytes = b"[: \xff") -> None:
    (run.guild_dir / layout.ATTRS / attr).write_bytes(data)
