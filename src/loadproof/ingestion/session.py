"""A polite HTTP session: paced per host, retried within bounds, cached on disk, with a key for one host alone.

``requests-cache`` keeps answers and ``requests-ratelimiter`` paces. The retries stand between the two (in
``transport``), because those of urllib3 lie below the pace and know nothing of a body that breaks off.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, quote, urlsplit

import requests
from requests_cache import AnyResponse, CachedSession, ExpirationTime

from loadproof import __version__
from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion.http_cache import EntryCache
from loadproof.ingestion.pace import paced_limiter
from loadproof.ingestion.transport import HostKey, PacedAdapter, Retries, origin_of

__all__ = ["RateLimitedSession"]

_USER_AGENT: Final = f"Mozilla/5.0 (compatible; loadproof/{__version__}; python-requests)"
_HOPS: Final = 5
_DAY_S: Final = 86_400.0
_ACTION_PATH: Final = "/api/3/action/"


class RateLimitedSession(CachedSession):
    """A ``requests`` session that waits its turn, asks again within bounds, and keeps good answers for a while.

    Not kept: errors, ``"success": false``, streams, redirected answers (their address may be signed), cookies, the key.

    Args:
        cache_dir: Folder of the kept answers, keyed by method, URL, parameters and holder of the key.
        api_key: Sent raw in ``Authorization`` to the host that ``send_key_to`` names, and to no other.
        interval_s: Least time between two requests to one host.
        expire_after_s: How long an answer is good for.
        force_refresh: Ask anew always, and keep the new answers.
        timeout_s: Longest wait for a connection, and between two pieces of an answer.
        retries: When to ask again.
        clock: A monotonic clock in seconds.
        sleep: Waits for some seconds of that clock.

    Raises:
        ConfigError: If no header can carry the key, a time is out of its range, or there can be no such folder.
    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        api_key: str | None = None,
        interval_s: float = 1.0,
        expire_after_s: float = _DAY_S,
        force_refresh: bool = False,
        timeout_s: tuple[float, float] = (10.0, 60.0),
        retries: Retries | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (0 <= interval_s <= _DAY_S) or expire_after_s <= 0 or min(timeout_s) <= 0:
            raise ConfigError(f"interval {interval_s} s, expiry {expire_after_s} s, timeouts {timeout_s} s: "
                              "take an interval of 0 to 86400 s and the others above 0")  # fmt: skip
        self.cache_dir = cache_dir
        self.force_refresh = force_refresh
        self.retries = retries or Retries()
        self.sleep = sleep
        self._key = HostKey(api_key)
        super().__init__(backend=_open_cache(cache_dir), expire_after=expire_after_s, allowable_codes=(200,),
                         key_fn=self._entry_name, filter_fn=self._may_keep)  # fmt: skip
        self.headers["User-Agent"] = _USER_AGENT
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.auth = lambda request: request  # otherwise ~/.netrc would speak for the user
        self.max_redirects = _HOPS
        adapter = PacedAdapter(paced_limiter(interval_s, clock, sleep), key=self._key, retries=self.retries,
                               sleep=sleep, timeout_s=timeout_s)  # fmt: skip
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)

    def __repr__(self) -> str:
        return f"RateLimitedSession({str(self.cache_dir)!r})"

    def send_key_to(self, url: str) -> None:
        """Name the one origin (scheme, host and port) that gets the key."""
        self._key.origin = origin_of(url)

    def redact(self, text: str) -> str:
        """Return the text without the key, for messages that quote a server."""
        return self._key.redact(text)

    def fetch(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        force_refresh: bool = False,
        version: str | None = "",
    ) -> requests.Response:
        """Return the answer to a GET, whatever its status, from the cache or the network.

        Args:
            url: Where to ask.
            params: Its parameters.
            force_refresh: Ask anew and keep the new answer.
            version: Of what the answer is a part: another version is another entry. None: read and keep no entry.

        Raises:
            SourceError: If no whole answer came.
        """
        try:
            # The fragment counts in the entry's name and is never sent.
            request = self.prepare_request(requests.Request("GET", url, params=params))
            request.url = f"{request.url}#{quote(version)}" if version else request.url
            settings = self.merge_environment_settings(request.url or "", {}, None, None, None)
            if version is None:
                return requests.Session.send(self, request, **settings)
            return self.send(request, force_refresh=force_refresh, **settings)
        except requests.RequestException as error:
            raise SourceError(self.redact(
                f"{url}: no whole answer ({type(error).__name__}: {error}); check the address and the connection, "
                "then run again"
            )) from error  # fmt: skip

    def send(
        self,
        request: requests.PreparedRequest,
        expire_after: ExpirationTime = None,
        only_if_cached: bool = False,
        refresh: bool = False,
        force_refresh: bool = False,
        **kwargs: Any,  # noqa: ANN401 (requests' own, passed through)
    ) -> AnyResponse:
        """Send a prepared request; streams and the hops of a redirect pass by the cache."""
        if kwargs.get("stream") or not kwargs.get("allow_redirects", True):
            return cast(AnyResponse, requests.Session.send(self, request, **kwargs))
        return super().send(request, expire_after=expire_after, only_if_cached=only_if_cached, refresh=refresh,
                            force_refresh=force_refresh or self.force_refresh, **kwargs)  # fmt: skip

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Let no credential follow a redirect; the key joins below, by host."""
        prepared_request.headers.pop("Authorization", None)

    def forget(self, response: requests.Response) -> None:
        """Remove an answer from the cache that turned out to be none."""
        if key := getattr(response, "cache_key", None):
            self.cache.delete(key)

    def close(self) -> None:
        """Close the connections and remove the answers that have expired."""
        self.cache.delete(expired=True, invalid=True)
        super().close()  # type: ignore[no-untyped-call]

    def _entry_name(self, *, request: requests.PreparedRequest, **_: object) -> str:
        parts = urlsplit(request.url or "")
        query = sorted(parse_qsl(parts.query, keep_blank_values=True))
        # Whoever holds the key may be told more. Only the hash of all this reaches the disk.
        fields = [request.method, *parts[:3], query, parts.fragment, str(request.body), self._key.for_url(request.url)]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()

    def _may_keep(self, response: requests.Response) -> bool:
        if getattr(response, "from_cache", False):
            return True  # it was judged when it came
        body = response.content
        if response.history or self._key.is_in(body):
            return False
        if b'"success"' not in body:
            return _ACTION_PATH not in (response.url or "")
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return False
        return not isinstance(answer, dict) or answer.get("success", True) is True


def _open_cache(folder: Path) -> EntryCache:
    try:
        return EntryCache(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be a folder for the cache ({error.strerror}); name another") from error
