"""The errors that a user gets to see, and Guild's exit codes."""

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_CHECK_FAILED = 3
EXIT_DECLINED = 4
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130

# What a run records when Ctrl-C ended it (Guild 0.9: always -16, whatever the process returned),
# and when it was stopped on request.
STATUS_INTERRUPTED = -16
STATUS_STOPPED = -15


class GuildError(Exception):
    """A message for the user, with an optional hint about what to do.

    `code` is the exit code of the command that it ends.
    """

    def __init__(self, message: str, hint: str = "", code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class OpRefError(GuildError):
    """A text that is no operation reference."""


class OperationNotFound(GuildError):
    """No operation of this name here; providers further down may still know one."""


class GuildfileError(GuildError):
    """A guildfile that cannot be read as one."""


class RunChanged(GuildError):
    """A transition found the run in another status than the one it starts from."""


class LockTimeout(GuildError):
    """The lock of the home was held by others for the whole time limit."""


class DependencyError(GuildError):
    """A dependency of a run that could not be resolved."""
