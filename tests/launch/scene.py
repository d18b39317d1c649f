"""A project and a run in the making, for which dependencies are resolved."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guild.launch.dependencies import Resolver, install, resolve
from guild.ops.opdef import Dependency, ResourceSource
from guild.runs import attrs, layout
from guild.runs.generated import files_below
from guild.runs.manifest import read_manifest
from guild.runs.run import Run


@dataclass
class Scene:
    """A project, and a run in the making."""

    base: Path
    says: list[str] = field(default_factory=list)
    warns: list[str] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    name: str = "run"

    @property
    def project(self) -> Path:
        return self.base / "project"

    @property
    def run(self) -> Run:
        return Run(self.base / "runs" / self.name)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def resolver(self, flags: Mapping[str, Any] | None = None, **kw: Any) -> Resolver:
        run = self.run
        (run.guild_dir / layout.ATTRS).mkdir(parents=True, exist_ok=True)
        work = run.guild_dir / layout.RESOLVING / os.urandom(4).hex()
        work.mkdir(parents=True)
        options: dict[str, Any] = {
            "flags": flags or {}, "find_run": self.runs.get, "staging": False, "say": self.says.append,
            "warn": self.warns.append, **kw,
        }  # fmt: skip
        return Resolver(run=run, final=run.path, work=work, cache=self.base / "cache", **options)

    def dep(self, *sources: ResourceSource, name: str = "res", **kw: Any) -> Dependency:
        return Dependency(name, sources, str(self.project), **kw)

    def put(self, *deps: Dependency, reuse: Run | None = None, **kw: Any) -> dict[str, str]:
        """Resolve and install; what the run then holds, as paths with contents."""
        found = resolve(self.resolver(**kw), deps, reuse)
        self.warns += install(self.run.path, found)
        return self.held()

    def file(self, target: str, **kw: Any) -> dict[str, str]:
        return self.put(self.dep(ResourceSource("file", target, **kw)))

    def held(self) -> dict[str, str]:
        held = {}
        for name in files_below(self.run.path):
            path = self.run.path / name
            held[name] = f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text()
        return held

    def manifest(self) -> list[str]:
        path = self.run.guild_dir / layout.MANIFEST
        return [e.to_line().strip() for e in read_manifest(path)]

    def deps(self) -> Any:
        return self.run.attr("deps")

    def ended(self, run_id: str, files: Mapping[str, str], op: str = "prep", code: int = 0) -> Run:
        """A run that has ended, with generated files and one of source code."""
        run = Run(self.base / "runs" / run_id)
        (run.guild_dir / layout.ATTRS).mkdir(parents=True)
        (run.guild_dir / layout.OPREF).write_text(f"guildfile:/p/guild.yml abc '' {op}")
        attrs.write_new_attrs(run.guild_dir, {"started": 1, "exit_status": code, "id": run_id})
        for name, text in {"code.py": "", **files}.items():
            (run.path / name).parent.mkdir(parents=True, exist_ok=True)
            (run.path / name).write_text(text)
        (run.guild_dir / layout.MANIFEST).write_text(f"s code.py {'0' * 40} code.py\n")
        self.runs[run_id] = run
        return run


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()
