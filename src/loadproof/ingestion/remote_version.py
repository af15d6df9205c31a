"""Which state of a remote file some bytes are of, as HTTP answers tell it and as a note beside the bytes keeps it."""

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

__all__ = [
    "MOST_BYTES",
    "PARTIAL",
    "RANGE_NOT_SATISFIABLE",
    "Version",
    "bare_etag",
    "continues",
    "read_version",
    "size_told",
    "version_told",
]

MOST_BYTES: Final = 10**15
"""What claims to be larger is no file, and its size no number that a disk could be asked for."""

PARTIAL: Final = 206
RANGE_NOT_SATISFIABLE: Final = 416


@dataclass(frozen=True)
class Version:
    """Which state of the remote file some bytes are of."""

    url: str
    etag: str | None
    last_modified: str | None
    size: int | None

    @property
    def condition(self) -> str | None:
        """What ``If-Range`` may say: a weak ETag does not promise equal bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


def bare_etag(etag: str | None) -> str | None:
    """Return an ETag without quotes and mark of weakness, as listings spell it."""
    return etag.removeprefix("W/").strip('"') if etag else etag


def continues(answer: requests.Response, version: Version, known: Version, here: int) -> bool:
    """Return whether a partial answer begins where the part ends, in the same version of the file."""
    match = re.match(r"bytes ([0-9]{1,16})-", answer.headers.get("Content-Range", ""))
    encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    same = version.etag == known.etag and version.size in (known.size, None)
    same = same and version.last_modified in (known.last_modified, None)  # a partial answer may leave the date out
    return bool(match) and not encoded and int(match[1] if match else -1) == here and same


def version_told(answer: requests.Response, url: str) -> Version:
    """Return the version that an answer says it is of."""
    return Version(url, answer.headers.get("ETag"), answer.headers.get("Last-Modified"), size_told(answer))


def size_told(answer: requests.Response) -> int | None:
    """Return the whole file's size as the answer tells it."""
    if answer.status_code in (PARTIAL, RANGE_NOT_SATISFIABLE):
        match = re.fullmatch(r"bytes .*/([0-9]{1,15})", answer.headers.get("Content-Range", ""))
    elif answer.headers.get("Content-Encoding", "identity") == "identity":
        match = re.fullmatch("([0-9]{1,15})", answer.headers.get("Content-Length", ""))
    else:
        match = None
    return int(match[1]) if match else None


def read_version(path: Path) -> Version | None:
    """Return the version noted in a file, or none where that is absent or damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        noted = Version(**json.loads(path.read_text()))
        texts = (noted.etag, noted.last_modified)
        if isinstance(noted.url, str) and all(isinstance(text, str | None) for text in texts):
            return noted if isinstance(noted.size, int | None) else None
    return None
