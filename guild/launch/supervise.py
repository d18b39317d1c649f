"""start(run): the only way in which a prepared run is executed, from its directory alone.

Also `python -m guild.launch.supervise RUN_DIR TOKEN`, in a session of its own, and, with `--wait`, a process
that has all its imports done and reads those two from its standard input (docs/ARCHITECTURE.md, "Pickup").
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from guild.base import files
from guild.base.processes import this_process
from guild.errors import STATUS_INTERRUPTED, STATUS_STOPPED, DependencyError, GuildError
from guild.home import Home
from guild.launch import environ as env_rules
from guild.launch import machine, process, recipe
from guild.launch.job import Console
from guild.launch.resolving import discard, install, resolve_rest
from guild.launch.run_output import RunOutput
from guild.launch.spec import QUEUE_GRACE, STOP_GRACE, Place, run_environ
from guild.runs import attrs, departures, layout, lifecycle
from guild.runs.lease import Lease
from guild.runs.run import Run
from guild.runs.store import RunStore

EXIT_NOT_MINE = 75
_RECORD_SECONDS = 600.0  # how long a full disk is given, so that the exit status is not lost


@dataclass(frozen=True)
class Options:
    """How a run is executed, beyond what it says itself."""

    foreground: bool = False
    echo: tuple[int, int] | None = None  # file descriptors for stdout and stderr of the operation
    gpus: str | None = None
    warn: Callable[[str], None] = lambda text: None
    log: Callable[[str], None] = lambda text: None
    say: Callable[[str], None] = lambda text: None  # what is done before the operation begins
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None


@dataclass(frozen=True)
class Started:
    """The end of an execution: the recorded exit status, and why it could not start, if so."""

    exit_status: int
    failure: str = ""


def start(
    store: RunStore,
    run: Run,
    lease: Lease,
    starter: Mapping[str, str],
    options: Options | None = None,
    orders: process.Orders | None = None,
) -> Started:
    """Execute a pending run that is leased to this process, to its end.

    `starter` is the environment of who starts it. Never leaves the run pending: where it cannot be started
    it ends as an error with the reason.
    """
    options = options or Options()
    if orders is None:
        orders = process.Orders()
        orders.install()
    console = Console(options.say, options.warn, options.progress, lambda: orders.stop or orders.interrupt)
    try:
        command, made = _compile(store, run, lease, starter, options)
        found = resolve_rest(store, run, made, console)
        if not console.stopped():
            lease = _begin(store, run, lease)
            install(run, found, console)
            _record_command(run, made)
    except _NotBegun:
        return Started(EXIT_NOT_MINE)
    except Exception as e:  # whatever is wrong with a damaged run, it must not stay pending
        if not console.stopped():
            text = e.message if isinstance(e, DependencyError) else f"cannot be started: {e}"
            discard(run)
            lifecycle.fail(store, run, text, 1)
            return Started(1, text)
    if console.stopped():
        discard(run)
        code = STATUS_STOPPED if orders.stop else STATUS_INTERRUPTED
        lifecycle.fail(store, run, "stopped before it began", code)
        return Started(code)
    return _Execution(store, run, lease, command, made, orders, options).execute()


def _record_command(run: Run, made: recipe.Recipe) -> None:
    """The trials that Guild 0.9 makes have the command of their prototype on record until they are run."""
    if made.is_rebuilt and run.list_attr("cmd") != list(made.argv):
        attrs.write_attr(run.guild_dir, "cmd", list(made.argv))


class _NotBegun(Exception):
    """The start could not be recorded; whoever claimed the run may give it back."""


def _begin(store: RunStore, run: Run, lease: Lease) -> Lease:
    try:
        return lifecycle.begin(run, lease, store.clock.now())
    except OSError:
        if lease.queue:
            raise _NotBegun from None
        raise


def _compile(
    store: RunStore, run: Run, lease: Lease, starter: Mapping[str, str], options: Options
) -> tuple[process.Command, recipe.Recipe]:
    """What will be executed; all slow work is done here, before the run is *starting*."""
    place = machine.find_place(starter, os.getcwd() if os.path.exists(".") else "/")
    made = recipe.read(run, place)
    argv = _with_interpreter(made, place, options)
    environ = job_environ(store.home.path, run, made, starter)
    if options.gpus is not None:
        environ["CUDA_VISIBLE_DEVICES"] = options.gpus
    return process.Command(argv, environ, str(run.path), own_session=not options.foreground), made


def _with_interpreter(made: recipe.Recipe, place: Place, options: Options) -> list[str]:
    """The command with the interpreter of the staging; if that is gone, with the starter's."""
    argv = list(made.argv)
    if made.interpreter and argv and argv[0] == made.interpreter and not os.access(argv[0], os.X_OK):
        options.warn(f"the interpreter {argv[0]} is gone, using {place.python_exe}")
        argv[0] = place.python_exe
    return argv


def job_environ(home: Path, run: Run, made: recipe.Recipe, starter: Mapping[str, str]) -> dict[str, str]:
    """The environment of the job (`environ.job_environ` has the rule)."""
    recorded = read_env(run)
    base = starter if recorded is None else {**recorded, **made.more_env}
    own = dict(made.own_env)
    inherited = env_rules.without_run(base).get("PYTHONPATH", "")
    if made.is_python or own.get("PYTHONPATH") == made.dest:
        own["PYTHONPATH"] = env_rules.python_path(
            made.dest, machine.GUILD_PATH, inherited, machine.holds_guild
        )
    elif baked := own.get("PYTHONPATH", inherited):
        # Guild 0.9 bakes itself in; a batch or a workflow of its making is run by this Guild.
        own["PYTHONPATH"] = ":".join(p for p in baked.split(":") if p and not machine.holds_guild(p))
    known = recorded if recorded is not None else run.map_attr("env") if made.is_rebuilt else {}
    cmd_dir = made.cmd_dir or known.get("CMD_DIR") or own.get("PROJECT_DIR") or str(run.path)
    run_env = run_environ(str(run.path), run.id, str(home), made.opspec, cmd_dir, made.dest)
    return env_rules.job_environ(
        base, starter, own, run_env, is_recorded=recorded is not None, env_secrets=made.env_secrets
    )


def read_env(run: Run) -> dict[str, str] | None:
    """The environment recorded at staging, None for a run that was not staged."""
    try:
        data = files.read_regular(run.guild_dir / layout.ENV)
    except OSError:
        return None
    return env_rules.parse_env(data.decode("utf-8", "surrogateescape"))


@dataclass
class _Execution:
    """One execution, from *starting* to the end."""

    store: RunStore
    run: Run
    lease: Lease
    command: process.Command
    made: recipe.Recipe
    orders: process.Orders
    options: Options
    reason: str = ""

    def execute(self) -> Started:
        try:
            lifecycle.mark_started(self.run, self.lease, self.store.clock.now())
        except OSError as e:
            lifecycle.fail(self.store, self.run, f"cannot be started: {e}", 1)
            return Started(1, f"cannot be started: {e}")
        try:
            child = process.fork_waiting(self.command)
        except OSError as e:
            return self._ended(1, lambda: None, f"error running {self.made.opspec}: {e}")
        self.lease = lifecycle.mark_running(self.store, self.run, self.lease, child.identity)
        with self._output() as output:
            failure = process.let_go(child)
            watch = self._watch(child, output)
            if failure is None:
                self._record_environment()
            code = watch.until_ended()
        if failure is not None:
            return self._ended(
                1,
                lambda: process.reap(child),
                f"error running {self.made.opspec}: {failure}: '{self.command.argv[0]}'",
            )
        return self._ended(code, lambda: process.reap(child), output.failure)

    def _ended(self, code: int, reap: Callable[[], None], failure: str) -> Started:
        try:
            self._finish(code, reap, failure or self.reason)
            if code == 0 and self.made.delete_on_success and self.store.holds(self.run):
                if self.made.batch is None:
                    name = self.made.opspec
                    self.options.say(
                        f"Deleting interim run {self.run.id} ('{name}' is configured for deletion on success)"
                    )
                with lifecycle.locked(self.store) as held:
                    departures.to_trash(held, self.run)
        except FileNotFoundError:
            reap()
            self.options.warn(f"run directory has been deleted, cannot record the end of {self.run.id}")
        return Started(code, failure)

    def _finish(self, code: int, reap: Callable[[], None], reason: str) -> None:
        """Record the end. While the disk is full the run still counts as running, for some minutes at most.

        Raises FileNotFoundError where the run is gone, OSError where it cannot be recorded.
        """
        until = time.monotonic() + _RECORD_SECONDS
        while True:
            try:
                lifecycle.finish(self.store, self.run, code, reap, reason)
                return
            except OSError as e:
                if e.errno not in (errno.ENOSPC, errno.EDQUOT) or time.monotonic() > until:
                    raise
                if not reason:
                    reason = f"its end could only be recorded late: {e.strerror}"
                    self.options.warn(f"cannot record the end of run {self.run.id} yet: {e.strerror}")
                time.sleep(0.5)

    def _output(self) -> RunOutput:
        return RunOutput(self.run, self.made, self.command.environ, self.options.echo, self.options.warn)

    def _watch(self, child: process.Child, output: RunOutput) -> process.Watch:
        minutes = self.made.stop_after
        grace = _seconds("STOP_AFTER_KILL_DELAY", STOP_GRACE) + (QUEUE_GRACE if self.run.is_queue else 0)
        return process.Watch(
            child,
            self.command,
            self.orders,
            output.write,
            grace,
            deadline=None if minutes is None else time.monotonic() + minutes * 60,
            on_timeout=lambda: self._on_timeout(child.pid, minutes),
        )

    def _on_timeout(self, pid: int, minutes: float | None) -> None:
        self.reason = f"stopped after {minutes:g} minutes (--stop-after)"
        self.options.log(f"Stopping process early (pid {pid})")

    def _record_environment(self) -> None:
        """The attributes that the start need not wait for."""
        from guild.launch.freeze import record_packages

        with contextlib.suppress(OSError):
            recorded = env_rules.recorded(self.command.environ, self.made.env_secrets)
            attrs.write_attr(self.run.guild_dir, "env", recorded)
            if self.made.pip_freeze and "NO_PIP_FREEZE" not in self.command.environ:
                record_packages(self.store.home.cache, self.run, self.command.argv[0])


def _seconds(name: str, default: float) -> float:
    try:
        return float(os.environ[name])
    except (KeyError, ValueError):
        return default


def main(argv: list[str]) -> int:
    """`RUN_DIR TOKEN [GPUS [PIDFILE]]`; or `--wait` and on stdin `HOME NUL RUN_DIR NUL TOKEN NUL GPUS`; or
    `--within RUN_DIR TOKEN VOICE`."""
    if argv[:1] == ["--within"]:
        store = RunStore(Home(Path(os.environ["GUILD_HOME"])))
        return (
            execute_within(
                store, Run(Path(argv[1])), argv[2], dict(os.environ), _say, process.Orders(), argv[3]
            )
            & 0xFF
        )
    if argv[:1] == ["--wait"]:
        _import_ahead()
        words = sys.stdin.buffer.readline().rstrip(b"\n").split(b"\0")
        if len(words) != 4:
            return 0  # whoever kept us waiting is gone
        home, run_dir, token, gpus = (os.fsdecode(w) for w in words)
        pidfile = ""
    else:
        run_dir, token, gpus, pidfile = (*argv, "", "")[:4]
        home = os.environ["GUILD_HOME"]
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    if pidfile:
        files.write_named(Path(pidfile), b"%d" % os.getpid())
    try:
        return execute_claimed(Home(Path(home)), Path(run_dir), token, gpus or None)
    finally:
        if pidfile:
            files.remove_file(Path(pidfile))


def execute_claimed(home: Home, run_dir: Path, token: str, gpus: str | None) -> int:
    """Take over a claim and execute the run; the exit code for whoever claimed it."""
    store, run = RunStore(home), Run(run_dir)
    orders = process.Orders()
    orders.install()
    try:
        with lifecycle.locked_for(store, run) as held:
            lease = lifecycle.take_over(held, run, token, this_process())
    except (GuildError, OSError):
        return EXIT_NOT_MINE

    files.remove_file(run.guild_dir / layout.SUPERVISOR_LOG)

    def warn(text: str) -> None:
        with open(run.guild_dir / layout.SUPERVISOR_LOG, "a", encoding="utf-8") as f:
            f.write(text + "\n")

    options = Options(gpus=gpus, warn=warn)
    return start(store, run, lease, dict(os.environ), options, orders).exit_status & 0xFF


def execute_within(
    store: RunStore,
    run: Run,
    token: str,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    orders: process.Orders,
    voice: str,
) -> int:
    """Execute a run of a batch or a workflow, whose console it shares, in a process of its own; its exit
    status, or EXIT_NOT_MINE. `orders`: with what has come for this process until now; `voice`: what goes
    before a line about what is done."""
    orders.install()
    try:
        with lifecycle.locked(store) as held:
            lease = lifecycle.take_over(held, run, token, this_process())
    except (GuildError, OSError):
        return EXIT_NOT_MINE
    options = Options(
        foreground=True,
        echo=(1, 2),
        warn=lambda text: say(f"WARNING: {text}"),
        log=lambda text: say(f"INFO: [guild] {text}"),
        say=lambda text: say(f"{voice}{text}"),
    )
    started = start(store, run, lease, environ, options, orders)
    if started.failure:
        say(f"ERROR: [guild] {started.failure}")
    return started.exit_status


def _say(text: str) -> None:
    files.write_line(2, text)


def _import_ahead() -> None:
    """Load what a run will need, so that it need not wait for that."""
    import guild.launch.freeze
    import guild.runs.events
    import guild.runs.scalars  # noqa: F401


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
