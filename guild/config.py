"""The user's settings: a YAML file of sections, such as `diff: {command: meld}`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guild.base import files, yamlio
from guild.errors import GuildError

_HERE = "guild-config.yml"
_EXTENDS = "extends"
_LINE = "It should hold sections of settings, as in 'diff: {command: meld}'."


@dataclass(frozen=True)
class UserConfig:
    """The sections of one file, with what their items extend filled in. `path`: None where there is no
    file."""

    path: Path | None
    sections: Mapping[str, Mapping[str, Any]]

    def get(self, section: str, name: str, default: Any = None) -> Any:
        """A setting, or `default` where it is missing or null."""
        value = self.sections.get(section, {}).get(name)
        return default if value is None else value

    def text(self, section: str, name: str) -> str:
        """A setting that is a text; '' where it is missing. Raises GuildError for one of another kind."""
        value = self.get(section, name, "")
        if not isinstance(value, str):
            raise GuildError(
                f"error in {self.path}: '{name}' of '{section}' should be a text, it is {value!r}",
                "Put it in quotes, or remove it.",
            )
        return value


def config_path(environ: Mapping[str, str], cwd: Path) -> Path:
    """Where the settings are looked for: `$GUILD_CONFIG`, else `guild-config.yml` in `cwd` where there is
    one, else `config.yml` in `.guild` of the user's home directory."""
    given = environ.get("GUILD_CONFIG")
    if given:
        return Path(os.path.abspath(cwd / os.path.expanduser(given)))
    here = cwd / _HERE
    if here.exists():
        return here
    from guild.home import choose_home

    user = environ.get("HOME") or os.path.expanduser("~")
    # The settings are the user's, whatever home is chosen for runs.
    return choose_home(None, {"HOME": user}, Path(user)) / "config.yml"


def user_config(environ: Mapping[str, str], cwd: Path) -> UserConfig:
    """The settings that hold in `cwd`; none where there is no file, or GUILD_CONFIG is empty.

    Raises GuildError, naming the file, for one that cannot be read or has another form.
    """
    if environ.get("GUILD_CONFIG") == "":
        return UserConfig(None, {})
    path = config_path(environ, cwd)
    try:
        document = yamlio.load(files.read_regular(path))
    except (FileNotFoundError, NotADirectoryError):
        return UserConfig(None, {})
    except OSError as e:
        raise GuildError(
            f"cannot read {path}: {e.strerror or e}", "Mend the file, or move it away."
        ) from None
    except yamlio.YAMLError as e:
        where = f", line {e.line}" if e.line else ""
        raise GuildError(f"error in {path}{where}: {e}", _LINE) from None
    return UserConfig(path, read_sections(document, path))


def read_sections(document: Any, path: Path) -> dict[str, dict[str, Any]]:
    """The sections of a document as it was read. Sections that are no maps are left out: what another
    program keeps there is not ours to judge. Raises GuildError for another form. Pure."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        kind = "list" if isinstance(document, list) else "value"
        raise GuildError(f"error in {path}: it holds a {kind}, not sections", _LINE)
    return {
        str(name): {str(item): _extended(section, item, (), path) for item in section}
        for name, section in document.items()
        if isinstance(section, dict)
    }


def _extended(section: Mapping[Any, Any], item: Any, trail: tuple[Any, ...], path: Path) -> Any:
    """An item of a section, over those that it extends; the later of several wins."""
    value = section[item]
    if not isinstance(value, dict) or _EXTENDS not in value:
        return value
    if item in trail:
        circle = " -> ".join(str(each) for each in (*trail, item))
        raise GuildError(f"error in {path}: '{item}' extends itself: {circle}")
    names = value[_EXTENDS] if isinstance(value[_EXTENDS], list) else [value[_EXTENDS]]
    merged: dict[Any, Any] = {}
    for name in names:
        if isinstance(name, dict | list) or name not in section:
            known = ", ".join(sorted(str(each) for each in section))
            raise GuildError(
                f"error in {path}: '{item}' extends '{name}', which is not there", f"There: {known}."
            )
        above = _extended(section, name, (*trail, item), path)
        merged.update(above if isinstance(above, dict) else {})
    return {**merged, **{key: each for key, each in value.items() if key != _EXTENDS}}
