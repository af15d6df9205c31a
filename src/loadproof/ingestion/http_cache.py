"""Answers at rest: one JSON file each, led by its checksum, so that a damaged entry is no entry. Nothing is pickled."""

import hashlib
import logging
import os
from http import HTTPStatus
from pathlib import Path

from requests_cache.backends.base import BaseCache
from requests_cache.backends.filesystem import FileDict
from requests_cache.models.response import CachedResponse

__all__ = ["EntryCache"]

logger = logging.getLogger(__name__)


class _Entries(FileDict):
    """The library's folder of files, written whole or not at all and read only where the checksum holds."""

    def __getitem__(self, key: str) -> CachedResponse:
        try:
            digest, _, text = self._key2path(key).read_bytes().partition(b"\n")
            if digest != _digest(text):
                raise KeyError(key)
            entry = self.deserialize(key, text.decode())
        except (OSError, ValueError, TypeError, RecursionError, ExceptionGroup) as error:
            raise KeyError(key) from error
        if not isinstance(entry, CachedResponse) or entry.status_code != HTTPStatus.OK:
            raise KeyError(key)
        return entry

    def __setitem__(self, key: str, entry: CachedResponse) -> None:
        text = self.serialize(entry).encode()
        path = self._key2path(key)
        beside = path.with_suffix(".tmp")
        try:
            beside.write_bytes(_digest(text) + b"\n" + text)
            os.replace(beside, path)  # noqa: PTH105 (atomic)
        except OSError as error:
            beside.unlink(missing_ok=True)
            logger.warning("%s: an answer could not be kept (%s)", path.parent, error.strerror)


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


class EntryCache(BaseCache):
    """A cache backend of files in one folder; redirects are not remembered."""

    def __init__(self, folder: Path) -> None:
        super().__init__(cache_name=str(folder))
        self.responses = _Entries(folder.absolute(), serializer="json", extension="entry")
