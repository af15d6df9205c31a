"""Where a store is: a folder, or an object store, whose twin is then kept in a folder of the cache."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from loadproof.cli.options import CACHE_ROOT
from loadproof.store import Store
from loadproof.twin import Moved, Twin, url_of

__all__ = ["store_at", "store_to_fill"]

logger = logging.getLogger("loadproof")

_TELLTALES: Final = ("aiobotocore", "azure", "boto3", "botocore", "adlfs", "fsspec", "s3fs")
"""Loggers that write headers, a session's token among them, when everything is logged."""


def store_at(root: Path) -> Store:
    """Return the store at a path to read from; what an object store holds is fetched first."""
    url = url_of(root)
    return Store(root) if url is None else _fetched(url)


@contextmanager
def store_to_fill(root: Path) -> Iterator[Store]:
    """Yield the store at a path to write to; one in an object store is fetched before and published afterwards."""
    url = url_of(root)
    if url is None:
        yield Store(root)
        return
    store = _fetched(url)
    yield store
    _tell("published to", url, Twin(url).publish(store))


def _fetched(url: str) -> Store:
    for name in _TELLTALES:
        logging.getLogger(name).setLevel(logging.WARNING)
    store = Store(CACHE_ROOT / "stores" / hashlib.sha256(url.encode()).hexdigest()[:16] / "processed")
    _tell("fetched from", url, Twin(url).fetch(store))
    return store


def _tell(what: str, url: str, moved: Moved) -> None:
    logger.info("%d of %d files %s %s, %.1f MB", moved.moved, moved.files, what, url, moved.moved_bytes / 1e6)
