"""Flags and comments that are written in the user's editor."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from guild.base import yamlio
from guild.errors import GuildError

_NOTE = "# Lines that begin with # are left out.\n"


def edit_flags(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The flags as the user leaves them; a text that is no mapping is shown again, with what is wrong.

    Raises GuildError where no editor can be started, and where the user leaves all blank.
    """
    text = f"# Flags for {name}\n{yamlio.encode(dict(values)).decode('utf-8', 'surrogateescape')}"
    fault = ""
    while True:
        edited = _edit(f"{fault}{text}")
        if edited is None and not fault:
            return dict(values)  # left without a change
        kept = _without_faults(text if edited is None else edited)
        if all(not line.strip() or line.startswith("#") for line in kept.splitlines()):
            raise GuildError("the flags were left empty, so nothing is run")
        try:
            found = yamlio.load(kept)
            if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
                raise ValueError("expected a line NAME: VALUE for each flag")
            return found
        except ValueError as e:
            line = getattr(e, "line", 0)
            fault, text = f"{_FAULT}{f'line {line}: ' if line else ''}{e}\n", kept
            if not click.confirm(
                f"These flags cannot be read: {e}. Edit them again?", default=True, err=True
            ):
                raise GuildError("the flags cannot be read, so nothing is run") from None


_FAULT = "# ERROR: "


def _without_faults(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_FAULT))


def edit_comment(initial: str, about: Sequence[str] = ()) -> str:
    """The comment that the user writes; '' for none. `about`: lines that are shown, as a note, below it.

    Raises GuildError where no editor can be started.
    """
    note = _NOTE + "".join(f"# {line}\n" for line in about)
    edited = _edit(f"{initial}\n{note}" if initial else f"\n{note}")
    if edited is None:
        return initial
    lines = [line for line in edited.splitlines() if not line.startswith("#")]
    return "\n".join(lines).strip()


def _edit(text: str) -> str | None:
    """What the editor leaves; None where nothing was saved."""
    try:
        return click.edit(text, extension=".yml")
    except click.ClickException as e:
        raise GuildError(f"{e.format_message()}", "Set EDITOR to the command of your editor.") from None
