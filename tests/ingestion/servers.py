"""Real HTTP servers on loopback: one that answers as it is told, with faults, and one that behaves as a CKAN."""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from loadproof.ingestion.session import RateLimitedSession


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    target: str
    client_port: int


@dataclass(frozen=True)
class Reply:
    """One answer. ``cut_at``: bytes of the body after which the connection breaks; ``hang_s``: silence before it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    hang_s: float = 0.0
    length: bool = True


def as_json(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json;charset=utf-8", **headers})


def as_html(text: str, status: int) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": "text/html"})


class Loopback:
    """A server whose ``faults`` are given out first, one a request (None: none), then ``answer``'s replies."""

    def __init__(self, answer: Callable[[Seen], Reply]) -> None:
        self.answer = answer
        self.faults: deque[Reply | None] = deque()
        self.seen: list[Seen] = []
        self.port = 0
        self.done = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        """The same server under another host's name."""
        return f"http://localhost:{self.port}"

    def paths(self) -> list[str]:
        return [seen.path.rsplit("/", 1)[-1] for seen in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    loopback: Loopback

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        seen = Seen(self.command, parts.path, query, dict(self.headers), self.path, self.client_address[1])
        self.loopback.seen.append(seen)
        fault = self.loopback.faults.popleft() if self.loopback.faults else None
        self._send(fault or self.loopback.answer(seen))

    do_POST = do_GET

    def _send(self, reply: Reply) -> None:
        if reply.hang_s:
            self.loopback.done.wait(reply.hang_s)
        with suppress(ConnectionError):
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.length:
                self.send_header("Content-Length", str(len(reply.body)))
            else:
                self.close_connection = True
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut_at])
            self.wfile.flush()
        if reply.cut_at is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def serving(answer: Callable[[Seen], Reply]) -> Iterator[Loopback]:
    """Run a server on 127.0.0.1 until the block ends."""
    loopback = Loopback(answer)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"loopback": loopback}))
    loopback.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        loopback.done.set()
        server.shutdown()
        thread.join()
        server.server_close()


class FakeClock:
    """A monotonic clock that only sleeping, and each look by ``tick_s``, moves."""

    def __init__(self, tick_s: float = 0.0) -> None:
        self.now_s = 1000.0
        self.tick_s = tick_s
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self.now_s += self.tick_s
            return self.now_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now_s += seconds
            self.slept.append(seconds)
        time.sleep(0)


@contextmanager
def polite(tmp_path: Path, clock: FakeClock | None = None, **settings: Any) -> Iterator[RateLimitedSession]:
    """Open a session on a fake clock, with its cache below ``tmp_path``, and close it."""
    clock = clock or FakeClock()
    session = RateLimitedSession(tmp_path / "cache", clock=clock, sleep=clock.sleep, **settings)
    session.trust_env = False  # a proxy of the machine that runs the tests is not on loopback
    with session:
        yield session


Rows = list[dict[str, Any]]

_ALLOWED = {"resource_id", "limit", "offset", "filters", "q", "fields", "sort", "distinct", "include_total",
            "records_format"}  # fmt: skip


class StubCKAN:
    """CKAN as its documentation and source say, 2.11 (``links``: an endless ``_links.next``) or 2.12 (none).

    ``before_search`` is called with the number of each search (from 1) and may change the tables. ``estimated`` says
    of every total that it is a guess, and makes it one.
    """

    def __init__(self, *, links: bool = True, rows_max: int = 32_000) -> None:
        self.links = links
        self.rows_max = rows_max
        self.packages: dict[str, dict[str, Any]] = {}
        self.tables: dict[str, Rows] = {}
        self.modified: dict[str, str | None] = {}
        self.private: dict[str, str] = {}
        self.estimated = False
        self.before_search: Callable[[int], None] = lambda number: None
        self.searches = 0

    def answer(self, seen: Seen) -> Reply:
        match = re.fullmatch(r"/api/3/action/(\w+)", seen.path)
        if match is None:
            return as_html("<html><body><h1>404 Not Found</h1></body></html>", 404)
        known = {"status_show": self._status, "package_show": self._package, "resource_show": self._resource,
                 "datastore_search": self._search}  # fmt: skip
        if match[1] not in known:
            word = "Bad request - " if self.links else "Bad request: "
            return as_json(f"{word}Action name not known: {match[1]}", 400)
        return known[match[1]](seen)

    def _status(self, seen: Seen) -> Reply:
        return self._success(seen, {"site_title": "stub", "ckan_version": "2.11.5" if self.links else "2.12.0"})

    def _package(self, seen: Seen) -> Reply:
        name = seen.query.get("id")
        if name is None:
            return self.error(409, {"id": ["Missing value"], "__type": "Validation Error"})
        if name in self.private and seen.headers.get("Authorization") != self.private[name]:
            return self.error(403, {"__type": "Authorization Error", "message": "Access denied: User not authorized"})
        if name not in self.packages:
            return self._not_found("Not found")
        return self._success(seen, self.packages[name])

    def _resource(self, seen: Seen) -> Reply:
        name = seen.query.get("id", "")
        if name not in self.tables:
            return self._not_found(f'Not found: Resource "{name}" was not found.')
        return self._success(seen, {"id": name, "last_modified": self.modified.get(name), "metadata_modified": None})

    def _search(self, seen: Seen) -> Reply:
        self.searches += 1
        self.before_search(self.searches)
        query = seen.query
        unknown = {name: [f'invalid value "{value}"'] for name, value in query.items() if name not in _ALLOWED}
        if unknown:
            return self.error(409, {**unknown, "__type": "Validation Error"})
        if "resource_id" not in query:
            return self.error(409, {"resource_id": ["Missing value"], "__type": "Validation Error"})
        if query["resource_id"] not in self.tables:
            return self._not_found(f'Not found: Resource "{query["resource_id"]}" was not found.')
        rows = sorted(self.tables[query["resource_id"]], key=lambda row: row["_id"])
        limit, offset = min(int(query.get("limit", 100)), self.rows_max), int(query.get("offset", 0))
        result: dict[str, Any] = {
            "resource_id": query["resource_id"], "records_format": "objects", "limit": limit, "offset": offset,
            "fields": [{"id": name, "type": "int" if name == "_id" else "text"} for name in (rows[0] if rows else [])],
            "records": rows[offset : offset + limit],
        }  # fmt: skip
        if query.get("include_total") != "false":
            total = len(rows) * 3 if self.estimated else len(rows)
            result |= {"total": total, "total_was_estimated": self.estimated, "include_total": True}
        if self.links:
            step = urlencode({**query, "offset": offset + limit})
            result["_links"] = {"start": "/api/3/action/datastore_search", "next": f"{seen.path}?{step}"}
        return self._success(seen, result)

    def _success(self, seen: Seen, result: object) -> Reply:
        return as_json({"help": f"http://stub{seen.path}", "success": True, "result": result})

    def error(self, status: int, error: dict[str, Any]) -> Reply:
        return as_json({"help": "http://stub/help", "success": False, "error": error}, status)

    def _not_found(self, message: str) -> Reply:
        return self.error(404, {"__type": "Not Found Error", "message": message})
