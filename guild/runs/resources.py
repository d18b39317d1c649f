"""GPUs as a run asks for them, a queue serves them and a start is given them. Pure.

None: nothing was said (the run sees whatever the machine shows). An empty set: no GPU (`--no-gpus`).
"""

Gpus = frozenset[str] | None


def parse_gpus(text: str | None) -> Gpus:
    """`0,1` -> {0, 1}; GPU names may be numbers or UUIDs. Order and blanks do not matter."""
    return None if text is None else frozenset(part.strip() for part in text.split(",") if part.strip())


def format_gpus(gpus: Gpus) -> str:
    """As CUDA_VISIBLE_DEVICES has it; numbers in their order first."""
    return ",".join(sorted(gpus or (), key=lambda g: (not g.isdigit(), int(g) if g.isdigit() else 0, g)))


def is_served(asked: Gpus, served: Gpus) -> bool:
    """Whether a queue that serves these GPUs may start a run that asks for those."""
    return served is None or asked is None or asked <= served


def allocation(asked: Gpus, served: Gpus) -> Gpus:
    """What a run is given: what it asked for, else what the queue serves."""
    return served if asked is None else asked
