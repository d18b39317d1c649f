"""What a queue says: one line for each start, end and change of what it waits for. Returns text only."""

import time
from collections.abc import Iterable

from guild.runs.run import Run
from guild.runs.status import RunStatus
from guild.scheduler.model import Decision, Hold, QueuePolicy, Reason
from guild.scheduler.observe import Note


def line(level: str, text: str) -> str:
    """A line of the queue's log, as Guild's."""
    return f"{level}: [guild] {time.strftime('%Y-%m-%d %H:%M:%S')} {text}"


class Reporter:
    """Remembers what was said, so that a reason is given when it is new and not at every look."""

    def __init__(self, policy: QueuePolicy) -> None:
        self._policy = policy
        self._said: set[tuple[str, str]] = set()
        self._idle = False
        self._trouble = ""

    def beginning(self) -> list[str]:
        lines = [line("INFO", "Starting queue")]
        if self._policy.run_once:
            lines.append(line("INFO", "Processing staged runs"))
        return lines

    def starting(self, run: Run) -> list[str]:
        self._idle = False
        self._forget(run.id)
        return [line("INFO", f"Starting staged run {run.id}")]

    def ended(self, run: Run) -> list[str]:
        """One clear line for a run that did not end well, none for one that did."""
        if run.status() is RunStatus.RUNNING:
            return [line("WARNING", f"Lost the supervisor of run {run.id}, which goes on by itself")]
        code = run.exit_status()
        reason = run.attr("_reason")
        if code == 0 and not reason:
            return []
        what = f"Run {run.id} failed with exit code {code}" if code else f"Run {run.id} ended"
        if code is None:
            what = f"Run {run.id} ended without an exit status"
        elif code < 0:
            what = f"Run {run.id} was terminated ({code})"
        return [line("ERROR", f"{what}: {reason}" if reason else what)]

    def notes(self, notes: Iterable[Note]) -> list[str]:
        return [line("WARNING", n.text) for n in notes if self._is_new(n.run_id, n.text)]

    def trouble(self, text: str) -> list[str]:
        """What keeps the queue from looking for staged runs; said again only after `no_trouble`."""
        is_new, self._trouble = text != self._trouble, text
        return [line("WARNING", text)] if is_new else []

    def no_trouble(self) -> None:
        self._trouble = ""

    def holds(self, decisions: Iterable[Decision]) -> list[str]:
        """Lines for reasons that are new; those of a queue's own slots go without saying."""
        lines = []
        for d in decisions:
            if not isinstance(d, Hold) or d.reason in (Reason.NO_FREE_SLOT, Reason.BEHIND):
                continue
            if self._is_new(d.run_id, d.reason.value):
                lines.append(line("INFO", self._hold_text(d)))
        return lines

    def idle(self) -> list[str]:
        if self._idle or self._policy.run_once:
            return []
        self._idle = True
        return [line("INFO", "Waiting for staged runs")]

    def ending(self, processed: int, seconds: float) -> list[str]:
        lines = []
        if self._policy.run_once:
            text = f"queue processed {processed} run(s) in {seconds:.6f} seconds"
            lines.append(line("INFO", text))
        return [*lines, line("INFO", "Stopping queue")]

    def _hold_text(self, hold: Hold) -> str:
        if hold.reason is Reason.OTHERS_IN_PROGRESS:
            runs = ", ".join(hold.for_runs)
            return f"Found staged run {hold.run_id} (waiting for runs to finish: {runs})"
        if hold.reason is Reason.NOT_READY:
            return f"Found staged run {hold.run_id} ({hold.reason.value}: {', '.join(hold.for_runs)})"
        return f"Ignoring staged run {hold.run_id} ({hold.reason.value})"

    def _is_new(self, run_id: str, text: str) -> bool:
        is_new = (run_id, text) not in self._said
        self._said.add((run_id, text))
        return is_new

    def _forget(self, run_id: str) -> None:
        self._said = {(r, t) for r, t in self._said if r != run_id}
