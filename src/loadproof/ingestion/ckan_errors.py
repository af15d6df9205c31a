"""What CKAN says when it refuses, in each of its shapes, as one line with a mend.

Source: ckan/views/api.py, 2.11 and 2.12: an ``error`` object with or without ``message``, a bare JSON text, or the web
page of whatever stands before CKAN.
"""

import json
import re
from collections.abc import Callable
from typing import Final

import requests

from loadproof.errors import SourceError

__all__ = ["CKANError", "parse_answer", "plain", "refusal"]

_EXCERPT: Final = 200
_READ_BYTES: Final = 1 << 20
_NOT_JSON: Final = object()


class CKANError(SourceError):
    """A refusal: its HTTP status and what CKAN said."""

    def __init__(self, message: str, *, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


def parse_answer(body: bytes) -> object:
    """Return the JSON value of a body, or an object that is none of JSON's where it holds no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def refusal(url: str, response: requests.Response, redact: Callable[[str], str]) -> CKANError:
    """Return the error for a response that is no success."""
    text = redact(response.content[:_READ_BYTES].decode(errors="replace"))  # before any of it is cut
    answer = parse_answer(text.encode())
    if isinstance(answer, dict):
        said = _error_text(answer.get("error", answer))
    else:
        said = plain(text if answer is _NOT_JSON else str(answer))
    status, reason = response.status_code, plain(redact(response.reason or ""))
    return CKANError(
        f"{url}: status {status} {reason}: {said or 'nothing said'}; {_mend(status, answer)}", status=status, said=said
    )


def plain(text: str) -> str:
    """Return a line of at most 200 characters of somebody's text, without markup and control characters."""
    visible = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<[^>]*>", " ", text[:4_000])
    line = " ".join("".join(c if c.isprintable() else " " for c in visible).split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "..."


def _error_text(error: object) -> str:
    """Return what an ``error`` member says: its type, its message, and each field with its complaints."""
    if not isinstance(error, dict):
        return plain(str(error))
    kind, message = error.get("__type"), error.get("message")
    fields = [
        f"{name}: {'; '.join(map(str, said)) if isinstance(said, list) else said}"
        for name, said in error.items()
        if name not in ("__type", "message")
    ]
    return plain(": ".join(str(part) for part in (kind, message, ", ".join(fields)) if part))


def _mend(status: int, answer: object) -> str:
    """Return what the user can do about a refusal."""
    if answer is _NOT_JSON and status in (401, 403):
        return ("a gateway answered, not CKAN (data-api.ssen.co.uk serves addresses in the UK alone): run it from "
                "there, or fetch the files by hand and take --source files")  # fmt: skip
    if answer is _NOT_JSON and status < 500 and status != 429:
        return "this is no CKAN: check --ckan-url"
    mends = {
        200: "check the request",
        400: "check --ckan-url and its version of CKAN",
        401: "set SSEN_API_KEY to a valid token",
        403: "set SSEN_API_KEY to a valid token (CKAN takes one that it cannot read for none)",
        404: "check the id (--package-id, or the resource's)",
        409: "mend the parameter that is named",
        429: "wait a while, or ask more slowly with --rate-limit",
    }
    return mends.get(status, "try again later")
