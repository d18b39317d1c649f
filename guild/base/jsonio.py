"""JSON that may be damaged, or made by somebody who means ill."""

import json
from collections.abc import Callable
from typing import Any


def load(data: bytes | str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value. Raises ValueError for what is no JSON, and for what is nested too deeply to be read."""
    try:
        return json.loads(data, object_hook=object_hook)
    except RecursionError:
        raise ValueError("nested too deeply") from None
