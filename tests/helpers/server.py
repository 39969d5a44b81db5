"""A web server on this machine that answers as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Yield the address ('127.0.0.1:1234') of a server that answers every GET with `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has closed
                answer(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f'127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()


def begin(request: BaseHTTPRequestHandler, status: int = 200, **headers: object) -> None:
    """Send status and headers; underscores in their names become hyphens."""
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace('_', '-'), str(value))
    request.end_headers()


def content(data: bytes) -> Answer:
    """An answer with these bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        begin(request, Content_Length=len(data))
        request.wfile.write(data)

    return answer
