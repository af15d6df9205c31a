"""One request to one host: it waits its turn, is asked again within bounds, and alone carries the key."""

import itertools
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from pyrate_limiter import Limiter
from requests_ratelimiter import LimiterAdapter

from loadproof.errors import ConfigError

__all__ = ["HostKey", "PacedAdapter", "Retries", "is_transient", "origin_of"]

logger = logging.getLogger(__name__)

_LONGEST_BODY_BYTES: Final = 256 << 20  # what is larger is a file and streams to disk
_TOO_MANY_REQUESTS: Final = 429
_PORTS: Final = {"http": 80, "https": 443}


def origin_of(url: str | None) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a web address, or None where it is none."""
    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


class HostKey:
    """An API key for one origin. Its ``repr`` does not show it."""

    def __init__(self, api_key: str | None) -> None:
        stripped = (api_key or "").strip()
        if stripped and not re.fullmatch(r"[\x21-\x7e]+", stripped):
            raise ConfigError("the API key has blanks or characters that no header can carry; "
                              "copy it again, without quotes")  # fmt: skip
        self._secret = SecretStr(stripped)
        self.origin: tuple[str, str, int] | None = None

    def for_url(self, url: str | None) -> str:
        """Return the key if the address is of its origin, and nothing otherwise."""
        return self._secret.get_secret_value() if self.origin and origin_of(url) == self.origin else ""

    def is_in(self, text: bytes) -> bool:
        """Return whether somebody's text holds the key."""
        return bool(self._secret) and self._secret.get_secret_value().encode() in text

    def redact(self, text: str) -> str:
        """Return the text without the key."""
        return text.replace(self._secret.get_secret_value(), "[key]") if self._secret else text


@dataclass(frozen=True)
class Retries:
    """When to ask again, and how long to wait before: 0.5, 1, 2 s, or what the server asks for, within a bound."""

    limit: int = 3
    backoff_s: float = 0.5
    longest_wait_s: float = 60.0

    def worth(self, response: requests.Response) -> bool:
        """Return whether the status is one that passes: 429 or 5xx."""
        return response.status_code == _TOO_MANY_REQUESTS or response.status_code >= 500

    def wait_s(self, failed: int, response: requests.Response | None) -> float:
        """Return the wait in seconds after ``failed`` earlier retries."""
        own_s: float = self.backoff_s * 2**failed
        asked_s = None if response is None else _retry_after_s(response)
        return min(own_s if asked_s is None else asked_s, self.longest_wait_s)


def is_transient(error: requests.RequestException) -> bool:
    """Return whether asking again may help: a broken or silent connection, or a body that was cut short."""
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
              requests.exceptions.ContentDecodingError)  # fmt: skip
    return isinstance(error, broken) and not isinstance(error, requests.exceptions.SSLError)


def _retry_after_s(response: requests.Response) -> float | None:
    """Return what Retry-After asks for; a date counts from the server's own Date, so that no clocks are compared."""
    asked = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return float(asked)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


class PacedAdapter(LimiterAdapter):
    """A transport whose every request, retries included, passes the limiter; the key leaves no trace above it.

    The body of a stream is not read here: whoever reads it knows how much it has and where to go on.
    """

    def __init__(
        self,
        limiter: Limiter,
        *,
        key: HostKey,
        retries: Retries,
        sleep: Callable[[float], None],
        timeout_s: tuple[float, float],
    ) -> None:
        super().__init__(limiter=limiter, limit_statuses=())
        self._key = key
        self._retries = retries
        self._sleep = sleep
        self._timeout_s = timeout_s

    # The arguments are those of ``HTTPAdapter.send``, passed on as they come.
    def send(  # type: ignore[override]
        self,
        request: requests.PreparedRequest,
        **kwargs: Any,  # noqa: ANN401
    ) -> requests.Response:
        """Send a request and, unless it streams, read its whole answer; ask again where that may help."""
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout_s
        retries = self._retries.limit if request.method in ("GET", "HEAD") else 0
        for failed in itertools.count():
            response = None
            try:
                response = self._send_once(request, **kwargs)
                why = f"status {response.status_code}"
                if failed == retries or not self._retries.worth(response):
                    return response
                response.close()
            except requests.RequestException as error:
                why = type(error).__name__
                if failed == retries or not is_transient(error):
                    raise
            wait_s = self._retries.wait_s(failed, response)
            logger.info("%s: %s; asks again in %.1f s (%d of %d)",
                        urlsplit(request.url).netloc, why, wait_s, failed + 1, retries)  # fmt: skip
            self._sleep(wait_s)
        raise AssertionError("unreachable")

    def _send_once(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        keyed = request.copy()
        if key := self._key.for_url(request.url):
            keyed.headers["Authorization"] = key
        try:
            response = super().send(keyed, **kwargs)
            response.request = request
            if not kwargs.get("stream"):
                _read_body(response)
        except requests.RequestException as error:
            error.request = request
            raise
        response.headers.pop("Set-Cookie", None)
        response.cookies.clear()
        return response


def _read_body(response: requests.Response) -> None:
    """Read a body to its end, so that one that breaks off is noticed where it can be asked for again."""
    pieces, size_bytes = [], 0
    for piece in response.iter_content(1 << 20):
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > _LONGEST_BODY_BYTES:
            response.close()
            raise requests.RequestException(f"an answer of more than {_LONGEST_BODY_BYTES >> 20} MiB")
    response._content = b"".join(pieces)  # as requests' own ``content`` does, which has no bound
    if _breaks_off(response):
        raise requests.exceptions.ChunkedEncodingError("a JSON answer that ends in the middle")


def _breaks_off(response: requests.Response) -> bool:
    """Return whether a JSON body that came without a length ends in the middle."""
    told = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if told or not response.ok or "json" not in response.headers.get("Content-Type", ""):
        return False
    try:
        json.loads(response.content)
    except (ValueError, RecursionError):
        return True
    return False
