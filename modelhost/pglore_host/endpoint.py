"""The HTTP server of GET /metrics. It runs in threads of its own and only reads: nothing can be changed through it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, socket

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

CLIENTS = 8  # connections at a time; more are closed
TIMEOUT_S = 5  # for a client to send its request and to take the answer


class Endpoint(ThreadingHTTPServer):
    """Serves a few clients at a time, so that no number of them costs the host much."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, place: tuple[str, int], registry: CollectorRegistry) -> None:
        self.address_family = AF_INET6 if ":" in place[0] else AF_INET
        self.registry = registry
        self._free = threading.BoundedSemaphore(CLIENTS)
        super().__init__(place, _Handler)

    def process_request(self, request: socket, client_address: object) -> None:  # type: ignore[override]
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket, client_address: object) -> None:  # type: ignore[override]
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that went away is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    timeout = TIMEOUT_S
    server_version, sys_version = "pglore", ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            return self.send_error(404)
        encode, kind = choose_encoder(self.headers.get("Accept", ""))
        try:
            body = encode(self.server.registry)
        except TimeoutError:
            return self.send_error(503, "the model host does not answer")
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a scrape is no event."""
