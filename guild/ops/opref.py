"""OpRef: the recorded name of an operation. Parse and format (`docs/run-directory.md`)."""

import os.path
from dataclasses import dataclass
from functools import lru_cache

from guild.errors import OpRefError


@dataclass(frozen=True)
class OpRef:
    """`TYPE:NAME VERSION MODEL OP`, five texts of which all but the type may be empty."""

    type: str
    name: str
    version: str
    model: str
    op: str

    @property
    def display(self) -> str:
        """The operation as listings show it: `op`, `model:op`, or `package/model:op`."""
        if self.type == "func":
            return f"{self.op}()"
        full = f"{self.model}:{self.op}" if self.model else self.op
        return f"{self.name}/{full}" if self.type == "package" else full

    @property
    def directory(self) -> str | None:
        """The project directory that the operation came from, if the reference names one."""
        if self.type in ("guildfile", "import"):
            return os.path.dirname(self.name)
        return self.name if self.type == "script" else None

    @property
    def is_queue(self) -> bool:
        return self.type == "builtin" and self.op == "queue"

    def __str__(self) -> str:
        rest = " ".join(_quote(x) for x in (self.name, self.version, self.model, self.op))
        return f"{_quote(self.type)}:{rest}"


_LONGEST = 20_000


def _quote(text: str) -> str:
    """POSIX quoting, with Guild's shorter form for texts in apostrophes."""
    import shlex

    quoted = shlex.quote(text)
    head, tail = "''\"'\"'", "'\"'\"''"
    if len(quoted) >= len(head) + len(tail) and quoted.startswith(head) and quoted.endswith(tail):
        return "\"'\"'" + quoted[len(head) : -len(tail)] + "'\"'\""
    return quoted


@lru_cache(maxsize=1024)  # many runs have the same one, and shlex is slow
def parse_opref(text: str) -> OpRef:
    """Read what `str(OpRef)` writes; raises OpRefError for anything else."""
    import shlex

    try:
        words = shlex.split(text) if len(text) <= _LONGEST else []  # its time grows with the square
    except ValueError:
        words = []
    if len(words) != 4 or ":" not in words[0]:
        raise OpRefError(f"invalid operation reference {text[:200]!r}")
    kind, _, name = words[0].partition(":")
    return OpRef(kind, name, *words[1:])
