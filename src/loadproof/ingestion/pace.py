"""The pace of requests: ``pyrate-limiter``'s buckets, one a host, on a clock and a sleep that are arguments."""

from collections.abc import Callable

from pyrate_limiter import InMemoryBucket, Limiter, Rate
from pyrate_limiter.abstracts import RateItem
from pyrate_limiter.clocks import AbstractClock
from requests_ratelimiter.buckets import HostBucketFactory

__all__ = ["paced_limiter"]


class _Clock(AbstractClock):
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def now(self) -> int:
        return int(self._clock() * 1000)


class _Buckets(HostBucketFactory):
    """One bucket a host, emptied as it is looked at, so that no thread need run beside."""

    def __init__(self, rate: Rate, clock: _Clock) -> None:
        super().__init__([rate])
        self._clock = clock
        self._of_host: dict[str, InMemoryBucket] = {}

    def get(self, item: RateItem) -> InMemoryBucket:
        bucket = self._of_host.get(item.name)
        if bucket is None:
            bucket = self._of_host[item.name] = InMemoryBucket(self.rates)
            bucket._clock = self._clock  # the library's own seam; it has no argument for it
        bucket.leak(self._clock.now())
        return bucket

    def wait_s(self, name: str) -> float:
        """Return how long until the host's bucket has room, in seconds and at least a millisecond."""
        item = RateItem(name, self._clock.now())
        wait_ms = self.get(item).waiting(item)
        return max(1, wait_ms if isinstance(wait_ms, int) else 1) / 1000


class _PacedLimiter(Limiter):
    """The library's limiter, except that it waits with the given sleep."""

    def __init__(self, buckets: _Buckets, sleep: Callable[[float], None]) -> None:
        super().__init__(buckets)
        self._buckets = buckets
        self._sleep = sleep

    def try_acquire(self, name: str = "pyrate", weight: int = 1, blocking: bool = True, timeout: float = -1) -> bool:
        while not super().try_acquire(name, weight, blocking=False):
            self._sleep(self._buckets.wait_s(name))
        return True


def paced_limiter(interval_s: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> Limiter:
    """Return a limiter that lets one request per host pass every ``interval_s`` seconds of ``clock``."""
    rate = Rate(1, max(1, round(interval_s * 1000)))
    return _PacedLimiter(_Buckets(rate, _Clock(clock)), sleep)
