"""Links in run directories: where they lead, and what becomes of them when a run is taken elsewhere."""

import os
from collections.abc import Callable
from enum import Enum


class Leads(Enum):
    """Where a link in a run directory leads, by its text alone."""

    INSIDE = "inside"  # of the run itself
    RUN = "run"  # to another run as a whole: a step of a workflow, a trial of a batch
    SIBLING = "sibling"  # to something in another run
    ELSEWHERE = "elsewhere"


class Act(Enum):
    """What becomes of a link: it stays a link, is replaced by what it leads to, or left out."""

    KEEP = "keep"
    FOLLOW = "follow"
    DROP = "drop"


# What is done with a link, by where it leads and whether that is a directory.
LinkRule = Callable[[Leads, bool], Act]


def leads(path: str, text: str) -> Leads:
    """Where a link with this text leads that lies at `path` below its run directory."""
    if not text or text.startswith("/") or "\0" in text:
        return Leads.ELSEWHERE
    full = os.path.normpath(os.path.join(os.path.dirname(path), text))
    if full != ".." and not full.startswith("../"):
        return Leads.INSIDE
    name, _, rest = full[3:].partition("/")
    if name in ("", ".."):
        return Leads.ELSEWHERE
    return Leads.SIBLING if rest else Leads.RUN


def keep_all(leading: Leads, is_dir: bool) -> Act:
    """For a copy to a directory, and from one that is trusted."""
    return Act.KEEP


def copy_resources(leading: Leads, is_dir: bool) -> Act:
    """What lies in other places is copied; other runs as a whole are not: they would be there twice."""
    return Act.KEEP if leading in (Leads.INSIDE, Leads.RUN) else Act.FOLLOW


def into_zip(leading: Leads, is_dir: bool) -> Act:
    """Guild 0.9 makes files of all links in a zip; of those that we keep it makes files with their text."""
    kept = leading is Leads.RUN or (leading is Leads.INSIDE and is_dir)
    return Act.KEEP if kept else Act.FOLLOW


def safe_only(leading: Leads, is_dir: bool) -> Act:
    """For what comes from others: a link must not lead out of `runs/`."""
    return Act.DROP if leading is Leads.ELSEWHERE else Act.KEEP
