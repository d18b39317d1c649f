"""Event files that are written with TensorBoard's library: hyperparameters, and images of a run."""

import importlib
import struct
from typing import Any

from guild.base.text import printable
from guild.base.tfrecord import first_record, record, scalar_record
from guild.runs import layout
from guild.runs.seen import Seen
from guild.runs.status import RunStatus

_SHORT_DIGEST = 8
_MAX_NUMBER = 1e300


class Summaries:
    """Makes the content of event files. Raises ImportError where TensorBoard is missing."""

    def __init__(self, hparams: bool) -> None:
        self.hparams = hparams
        self._events: Any = importlib.import_module("tensorboard.compat.proto.event_pb2")
        self._protos: Any = importlib.import_module("tensorboard.compat.proto.summary_pb2")
        self._metadata: Any = importlib.import_module("tensorboard.plugins.hparams.metadata")
        self._data: Any = importlib.import_module("tensorboard.plugins.hparams.plugin_data_pb2")
        self._api: Any = importlib.import_module("tensorboard.plugins.hparams.api_pb2")

    def session_start(self, seen: Seen) -> bytes:
        """The flags of a run, and which code it ran."""
        values = {printable(name): _hparam(value) for name, value in seen.flags.items() if value is not None}
        values.setdefault("sourcecode", str(seen.run.attr("sourcecode_digest") or "")[:_SHORT_DIGEST])
        info = self._data.SessionStartInfo(group_name=printable(f"{seen.run.short_id} {seen.operation}"))
        started = seen.run.int_attr(layout.STARTED)
        if started is not None:
            info.start_time_secs = started / 1e6
        for name, value in values.items():
            kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
            setattr(info.hparams[name], f"{kind}_value", value)
        data = self._data.HParamsPluginData(session_start_info=info)
        return first_record() + self._plugin_record(self._metadata.SESSION_START_INFO_TAG, data)

    def session_end(self, seen: Seen) -> bytes:
        """How it ended, and the scalar `time`: its seconds."""
        ok = seen.status is RunStatus.COMPLETED
        info = self._data.SessionEndInfo(
            status=self._api.Status.Value("STATUS_SUCCESS" if ok else "STATUS_FAILURE")
        )
        started, stopped = seen.run.int_attr(layout.STARTED), seen.run.int_attr(layout.STOPPED)
        time = b""
        if started is not None and stopped is not None:
            info.end_time_secs = stopped / 1e6
            time = scalar_record("time", (stopped - started) / 1e6, 0)
        data = self._data.HParamsPluginData(session_end_info=info)
        return first_record() + self._plugin_record(self._metadata.SESSION_END_INFO_TAG, data) + time

    def image(self, tag: str, data: bytes) -> bytes:
        """An image as it is in its file; nothing for what is none."""
        size = image_size(data)
        if size is None:
            return b""
        image = self._protos.Summary.Image(width=size[0], height=size[1], encoded_image_string=data)
        value = self._protos.Summary.Value(tag=tag, image=image)
        return first_record() + self._record(self._protos.Summary(value=[value]))

    def _plugin_record(self, tag: str, data: Any) -> bytes:
        value = self._protos.Summary.Value(
            tag=tag,
            metadata=self._metadata.create_summary_metadata(data),
            tensor=self._metadata.NULL_TENSOR,
        )
        return self._record(self._protos.Summary(value=[value]))

    def _record(self, summary: Any) -> bytes:
        payload: bytes = self._events.Event(summary=summary).SerializeToString()
        return record(payload)


def _hparam(value: Any) -> bool | float | str:
    """TensorBoard has truth values, numbers and texts."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < _MAX_NUMBER:
        return value
    from guild.ops.flag_values import format_value

    return printable(value if isinstance(value, str) else format_value(value))


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF or JPEG; None for what is none. Pure."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack(">II", data[16:24])
            return width, height
        if data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack("<HH", data[6:10])
            return width, height
        return _jpeg_size(data) if data[:2] == b"\xff\xd8" else None
    except (struct.error, IndexError):
        return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the frame header, which comes after segments of known length."""
    at = 2
    while data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        at += 2 + length
    return None
