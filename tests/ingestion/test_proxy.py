"""Both kinds of session go through the proxy that the environment names."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from loadproof.ingestion.download import SOURCES, open_session
from loadproof.ingestion.session import RateLimitedSession


class _Proxy(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - of one test at a time

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        del args


@pytest.fixture
def proxy(monkeypatch):
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    _Proxy.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
        yield _Proxy.asked
        server.shutdown()
        thread.join()


def sessions(tmp_path):
    polite = RateLimitedSession(tmp_path / "cache", interval_s=0, sleep=lambda seconds: None)
    return open_session(SOURCES["lcl"], backoff_s=0), polite


def test_what_is_asked_goes_through_the_proxy_that_the_environment_names(proxy, tmp_path):
    for session in sessions(tmp_path):
        with session:
            assert session.get("http://data.invalid/file.csv", timeout=10).text == "ok"
    assert proxy == ["http://data.invalid/file.csv"] * 2


def test_a_host_that_needs_no_proxy_is_not_asked_through_it(proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for session in sessions(tmp_path):
        with session, pytest.raises(requests.ConnectionError):
            session.get("http://127.0.0.1:9/closed", timeout=1)
    assert proxy == []
