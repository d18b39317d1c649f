"""The table to move in, on a terminal: keys in, lines out. What they mean is in `_compare_view`."""

import curses
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from guild.commands._compare_table import Table
from guild.commands._compare_view import Line, Style, View, draw, new_view, press, reloaded, resized
from guild.errors import GuildError

_KEYS = {
    curses.KEY_UP: "up",
    curses.KEY_DOWN: "down",
    curses.KEY_PPAGE: "pgup",
    curses.KEY_NPAGE: "pgdn",
    curses.KEY_HOME: "home",
    curses.KEY_END: "end",
    curses.KEY_LEFT: "left",
    curses.KEY_RIGHT: "right",
    curses.KEY_ENTER: "enter",
    curses.KEY_BACKSPACE: "backspace",
}
_CHARACTERS = {
    **dict.fromkeys(("\n", "\r"), "enter"),
    **dict.fromkeys(("\x7f", "\b"), "backspace"),
    "\x1b": "esc",
}
# A new size that comes just before the wait for a key does not end it: look for one now and then.
_LOOK_MS = 500
_REDRAW = "\x0c"  # Ctrl-L: whatever else has written to the terminal goes
_STYLES: dict[Style, int] = {
    "plain": curses.A_NORMAL,
    "head": curses.A_BOLD,
    "row": curses.A_REVERSE,
    "cell": curses.A_REVERSE | curses.A_BOLD | curses.A_UNDERLINE,
    "foot": curses.A_DIM,
}


def can_show() -> bool:
    """Whether curses knows the terminal, and can move about on it."""
    try:
        curses.setupterm()
    except curses.error:
        return False
    return curses.tigetstr("cup") is not None


def show(table: Table, read: Callable[[], Table]) -> None:
    """Show the table until the user quits; `read` makes a new one."""
    curses.set_escdelay(25)
    try:
        curses.wrapper(_loop, table, read)
    except KeyboardInterrupt:
        return


def _loop(screen: "curses.window", table: Table, read: Callable[[], Table]) -> None:
    with suppress(curses.error):  # a terminal without colours, or that cannot hide the cursor
        curses.use_default_colors()
        curses.curs_set(0)
    screen.timeout(_LOOK_MS)
    view = new_view(table, *screen.getmaxyx())
    while not view.done:
        _put(screen, view)
        key = _read_key(screen)
        if key == _REDRAW:
            screen.clear()
        view = resized(view, *screen.getmaxyx())
        if key:
            view = press(view, key)
        if view.refresh:
            view = _refresh(screen, view, read)


def _refresh(screen: "curses.window", view: View, read: Callable[[], Table]) -> View:
    _put(screen, replace(view, note="Reading the runs..."))
    try:
        return replace(reloaded(view, read()), note="")
    except GuildError as e:  # such as a run that was named and is gone
        return replace(view, refresh=False, note=e.message)


def _read_key(screen: "curses.window") -> str:
    """The name of a key, or its character; empty for a resize and for keys that mean nothing."""
    try:
        key = screen.get_wch()
    except curses.error:
        return ""
    if isinstance(key, int):
        return _KEYS.get(key, "")
    return _CHARACTERS.get(key, key)


def _put(screen: "curses.window", view: View) -> None:
    screen.erase()
    for y, line in enumerate(draw(view)):
        _put_line(screen, y, line)
    screen.refresh()


def _put_line(screen: "curses.window", y: int, line: Line) -> None:
    with suppress(curses.error):  # the last place of the screen, or wide characters that did not fit
        screen.move(y, 0)
        for text, style in line:
            screen.addstr(text, _STYLES[style])
