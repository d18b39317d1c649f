"""Scheduler: the loop inside a `queue` run. Look, decide, start, wait; and an orderly end."""

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass

from guild.errors import GuildError
from guild.launch.supervise import EXIT_NOT_MINE
from guild.runs import layout
from guild.runs.output import tail
from guild.runs.run import Run, is_run_dir
from guild.runs.store import RunStore
from guild.scheduler.bell import Bell
from guild.scheduler.claim import Claim, claim_next, give_back, give_up
from guild.scheduler.executor import Executor
from guild.scheduler.model import Decision, Hold, QueuePolicy, Reason
from guild.scheduler.observe import Observer
from guild.scheduler.policy import is_idle
from guild.scheduler.report import Reporter, line

MAX_TRIES = 3
_RETRY_SECONDS = 1.0
_RELAY_SECONDS = 0.1  # how often the output of a job is looked at


@dataclass
class _Job:
    """One of the queue's own runs, and how far its output was relayed."""

    claim: Claim
    offset: int = 0


class Scheduler:
    """`say` takes a line of the log, `relay` bytes of a job's output."""

    def __init__(
        self,
        store: RunStore,
        policy: QueuePolicy,
        executor: Executor,
        queue_id: str,
        bell: Bell,
        say: Callable[[str], None],
        relay: Callable[[bytes], None],
    ) -> None:
        self._store, self._policy, self._executor = store, policy, executor
        self._id, self._bell, self._say, self._relay = queue_id, bell, say, relay
        self._observer = Observer(store, queue_id, policy.restage_lost)
        self._report = Reporter(policy)
        self._jobs: dict[str, _Job] = {}
        self._tries: dict[str, int] = {}
        self._owed: list[tuple[Claim, str]] = []  # claims still to be given back, and why
        self._succeeded = 0
        self._next_full = 0.0
        self._watches_journal = False

    def run(self) -> None:
        """Until a signal asks to end, or, with run-once, nothing is left to start."""
        began = time.monotonic()
        self._tell(self._report.beginning())
        try:
            while not self._bell.stop:
                self._collect()
                if self._bell.drain and not self._jobs:
                    break
                if self._has_free_slot():
                    decisions = self._look()
                    if decisions is None:
                        self._bell.wait(_RETRY_SECONDS)
                        continue
                    if self._is_done(decisions):
                        break
                    self._say_why_idle(decisions)
                self._wait()
        finally:
            self._end_jobs()
            self._executor.close()
            self._bell.close()
        self._tell(self._report.ending(self._succeeded, time.monotonic() - began))

    # Look and start.

    def _look(self) -> tuple[Decision, ...] | None:
        """Claim and start what may be; None where the home could not be looked at now."""
        now = time.monotonic()
        full = now >= self._next_full
        try:
            self._settle_owed()
            outcome = claim_next(self._store, self._observer, self._policy, self._id, full)
        except (GuildError, OSError) as e:
            reason = e.strerror or e if isinstance(e, OSError) else e
            self._tell(self._report.trouble(f"could not read staged runs: {reason}"))
            self._next_full = 0.0
            return None
        self._report.no_trouble()
        if full:
            self._next_full = now + self._policy.poll_interval
        for claim in outcome.claims:
            self._start(claim)
        self._tell(self._report.notes(self._observer.notes))
        self._observer.notes.clear()
        self._tell(self._report.holds(outcome.decisions))
        return outcome.decisions

    def _start(self, claim: Claim) -> None:
        self._tell(self._report.starting(claim.run))
        try:
            self._executor.start(claim.run, claim.lease)
        except OSError as e:
            self._owed.append((claim, str(e)))
            self._bell.ring()
            return
        self._jobs[claim.run.id] = _Job(claim)

    def _settle_owed(self) -> None:
        """As long as a claim is ours, nobody else can mend it. Raises LockTimeout, OSError."""
        while self._owed:
            claim, why = self._owed[0]
            try:
                self._return(claim, why)
            except OSError as e:
                self._leave_staged(claim, e)
            del self._owed[0]

    def _leave_staged(self, claim: Claim, error: OSError) -> None:
        """Not even its failure can be recorded: staged again, and the others are served meanwhile. A full
        disk may pass until the next full look; a damaged run is left out for good."""
        give_back(self._store, claim)
        self._tries.pop(claim.run.id, None)
        text = f"Run {claim.run.id} cannot be started, it is left staged: {error.strerror or error}"
        for_good = error.errno not in (errno.ENOSPC, errno.EDQUOT)
        self._observer.set_aside(claim.run.id, text, for_good=for_good)

    def _return(self, claim: Claim, why: str) -> None:
        """A claim that came to nothing: staged again, in its place; after some tries an error."""
        tries = self._tries.get(claim.run.id, 0) + 1
        reason = f"could not be started in {tries} tries: {why}"
        if tries < MAX_TRIES:
            give_back(self._store, claim)
            self._tries[claim.run.id] = tries
            return
        give_up(self._store, claim, reason)
        self._tries.pop(claim.run.id, None)
        self._tell([line("ERROR", f"Run {claim.run.id} {reason}")])

    def _is_done(self, decisions: tuple[Decision, ...]) -> bool:
        if not self._policy.run_once or self._jobs or self._owed:
            return False
        return is_idle(list(decisions), self._observer.in_progress)

    # Follow own runs.

    def _collect(self) -> None:
        """Relay what own runs have printed, and take note of those that have ended."""
        ended = self._executor.poll()
        for job in self._jobs.values():
            self._relay_output(job)
        for end in ended:
            job = self._jobs.pop(end.run_id)
            self._after(job, end.exit_code)

    def _after(self, job: _Job, code: int | None) -> None:
        run = job.claim.run
        lease = run.claim_lease()
        if lease is not None and lease.token == job.claim.lease.token:
            self._owed.append((job.claim, f"its supervisor ended with {code}"))
        elif not is_run_dir(run.path):  # deleted on success, or by somebody meanwhile
            self._succeeded += code == 0
        elif code == EXIT_NOT_MINE and run.exit_status() != code:
            self._tell([line("INFO", f"Run {run.id} was taken back")])
        else:
            self._succeeded += run.exit_status() == 0
            self._tell([line("WARNING", f"Run {run.id}: {text}") for text in run.supervisor_log()])
            self._tell(self._report.ended(run))

    def _relay_output(self, job: _Job) -> None:
        """What a job has printed since the last time, from its `output` file."""
        if layout.PENDING in job.claim.run.markers():
            return  # what lies there is of an earlier execution
        run = job.claim.run
        if not is_run_dir(run.path):  # deleted on success, it still has its last words to say
            run = Run(self._store.home.trash / run.id)
        while True:
            data, job.offset = tail(run.guild_dir / layout.OUTPUT, job.offset)
            if not data:
                return
            self._relay(data)

    # Wait.

    def _has_free_slot(self) -> bool:
        """Whether there is any use in looking for staged runs now."""
        return len(self._jobs) < self._policy.slots and not self._bell.drain

    def _say_why_idle(self, decisions: tuple[Decision, ...]) -> None:
        self._bell.wait_for_ends_of(self._pids_waited_for(decisions))
        waits_for_others = any(
            isinstance(d, Hold) and d.reason is Reason.OTHERS_IN_PROGRESS for d in decisions
        )
        if not waits_for_others and not self._jobs:
            self._tell(self._report.idle())

    def _wait(self) -> None:
        self._get_ready()
        seconds = max(0.0, self._next_full - time.monotonic()) if self._has_free_slot() else _RELAY_SECONDS
        self._bell.wait(min(seconds, _RELAY_SECONDS) if self._jobs else seconds)

    def _get_ready(self) -> None:
        """Use the leisure: a supervisor for the next run, and a watch on the journal."""
        self._executor.make_ready()
        if not self._watches_journal:
            self._watches_journal = True
            self._bell.watch(self._store.home.journal)
            self._bell.ring()  # something may have happened before we watched

    def _pids_waited_for(self, decisions: tuple[Decision, ...]) -> set[int]:
        """Processes of other runs in progress, which may end without ringing."""
        ids = {r for d in decisions if isinstance(d, Hold) for r in d.for_runs}
        runs = [run for run in map(self._store.get, ids) if run is not None]
        return {pid for pid in (run.lock_pid() for run in runs) if pid is not None}

    # End.

    def _end_jobs(self) -> None:
        """Give claims back that nobody has taken over; end the other own runs in order."""
        try:
            self._settle_owed()
        except (GuildError, OSError):
            pass  # once we are gone, the next queue finds it
        for run_id in list(self._jobs):
            self._executor.stop(run_id)
        while self._jobs:
            self._collect_at_end()
            if self._jobs:
                self._bell.wait(0.25)

    def _collect_at_end(self) -> None:
        for end in self._executor.poll():
            job = self._jobs.pop(end.run_id)
            self._relay_output(job)
            try:
                was_claimed = give_back(self._store, job.claim)
            except (GuildError, OSError) as e:  # as above
                self._tell([line("WARNING", f"could not give run {end.run_id} back: {e}")])
                continue
            if not was_claimed and is_run_dir(job.claim.run.path):
                self._tell(self._report.ended(job.claim.run))

    def _tell(self, lines: list[str]) -> None:
        for text in lines:
            self._say(text)
