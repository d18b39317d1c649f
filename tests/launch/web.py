"""A web server on the loopback interface for downloads: it can resume, or not, break off, and stall."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAUSE = 0.05  # seconds between two looks of a stalled answer


@dataclass
class Web:
    """`files` by path. `asked`: the requests, with the range that each asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    tag: str = '"1"'  # none where ''
    resumes: bool = True
    shift: int = 0  # how far a range that is answered is beside the one asked for
    lengths: bool = True
    cut: int | None = None  # bytes after which the connection breaks
    stalls_at: int | None = None  # bytes after which nothing more comes
    go_on: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve(**files: bytes) -> Iterator[Web]:
    """A server of these files, until the end of the block; its threads end with it."""
    web = Web(files={f"/{name}": data for name, data in files.items()})
    closing = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(web, closing))
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": PAUSE})
    thread.start()
    try:
        yield web
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(web: Web, closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            web.asked.append((self.path, wanted))
            data = web.files.get(self.path.partition("?")[0])
            if data is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            same = self.headers.get("If-Range") == web.tag
            if not (web.resumes and wanted and same):
                start = 0
            elif start >= len(data):
                self.send_error(416)
                return
            self._answer(data, start)

        def _answer(self, data: bytes, start: int) -> None:
            start = max(0, start + web.shift) if start else 0
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            if web.lengths:
                self.send_header("Content-Length", str(len(data) - start))
            if web.tag:
                self.send_header("ETag", web.tag)
            self.end_headers()
            self._send(data, start)

        def _send(self, data: bytes, start: int) -> None:
            if web.stalls_at is not None:
                self.wfile.write(data[start : web.stalls_at])
                web.stalled.set()
                while not (web.go_on.wait(PAUSE) or closing.is_set()):
                    pass
                start = max(start, web.stalls_at)
            cut, web.cut = web.cut, None
            try:
                self.wfile.write(data[start : None if cut is None else start + cut])
            except OSError:
                pass  # who asked has gone

    return Handler
