"""CKAN's action API, old and new: every refusal becomes one clear error, and a table is walked whole or not at all.

Source: CKAN's documentation of the action API and of ``datastore_search``, 2.9 to 2.12.
"""

import contextlib
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO, cast
from urllib.parse import urlsplit

import polars as pl

from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion.ckan_errors import CKANError, parse_answer, refusal
from loadproof.ingestion.session import RateLimitedSession

__all__ = ["CANDIDATES", "CKANClient", "connect_ckan"]

logger = logging.getLogger(__name__)

CANDIDATES: Final[tuple[str, str]] = ("https://data.ssen.co.uk", "https://data-api.ssen.co.uk")
_PAGE_ROWS: Final = 32_000  # CKAN's own default of ckan.datastore.search.rows_max
_FEWEST_ROWS: Final = 100
_TOO_SLOW: Final = "Search took too long"

Record = dict[str, Any]


class _MovedError(Exception):
    """The table changed under the walk; the text says how that showed."""


class _Page(NamedTuple):
    fields: Sequence[str]
    records: Sequence[Record]


def _is_ckan(answer: object) -> bool:
    """Return whether an answer has CKAN's envelope, or is the bare text with which it refuses an unknown action."""
    if isinstance(answer, dict):
        return isinstance(answer.get("success"), bool)
    return isinstance(answer, str) and answer.startswith(("Bad request", "Internal Server Error"))


def _as_text(value: object) -> str:
    """Return a parameter as CKAN's GET takes it: flat text, lists and objects as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _checked_base(url: str) -> str:
    base = re.sub(r"/api(/3)?(/action)?/?$", "", url.strip()).rstrip("/")
    try:
        parts = urlsplit(base)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        sound = False
        parts = urlsplit("")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"--ckan-url names a user before {parts.hostname}: leave that out and set SSEN_API_KEY")
    if not sound or parts.query or parts.fragment:
        raise ConfigError(f"--ckan-url {url!r}: not an address such as {CANDIDATES[0]}")
    return base


class CKANClient:
    """One CKAN site. The session's key goes to this site alone.

    Args:
        session: Paces, retries and caches.
        base_url: The site's address, up to and without ``/api``.

    Raises:
        ConfigError: If the address is none, or names a user or a password.
    """

    def __init__(self, session: RateLimitedSession, base_url: str) -> None:
        self.base_url = _checked_base(base_url)
        self._session = session
        session.send_key_to(self.base_url)

    def __repr__(self) -> str:
        return f"CKANClient({self.base_url!r})"

    def action(self, action: str, /, **params: object) -> Any:  # noqa: ANN401 (the site's own JSON)
        """Return the ``result`` of an action; parameters that are None are left out.

        Raises:
            CKANError: If CKAN, or what stands before it, refuses.
            SourceError: If no whole answer came.
        """
        return self._call(action, params)

    def package_show(self, package_id: str) -> Record:
        """Return a package; its ``resources`` are a list of objects, whatever else it lacks."""
        package = self._call("package_show", {"id": package_id})
        resources = package.get("resources") if isinstance(package, dict) else None
        if not isinstance(resources, list) or not all(isinstance(resource, dict) for resource in resources):
            raise SourceError(f"{self.base_url}: package '{package_id}' has no list of resources; check --package-id")
        return cast(Record, package)

    def datastore_records(
        self, resource_id: str, *, page_rows: int = _PAGE_ROWS, force_refresh: bool = False
    ) -> Iterator[list[Record]]:
        """Yield a table's rows page by page in the order of ``_id``, once the walk has proved whole.

        Pages are set aside on disk until the last has come; where the table changed meanwhile it is walked once more.

        Raises:
            SourceError: If it changed in the second walk too, or CKAN refuses.
        """
        for page in self._pages(resource_id, page_rows, force_refresh):
            yield list(page.records)

    def datastore_frames(
        self, resource_id: str, *, page_rows: int = _PAGE_ROWS, force_refresh: bool = False
    ) -> Iterator[pl.DataFrame]:
        """Yield the same pages as frames: one text column per field, as a CSV would have it; null stays null."""
        for page in self._pages(resource_id, page_rows, force_refresh):
            columns = {_plain(name): [_cell(record.get(name)) for record in page.records] for name in page.fields}
            yield pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))

    def _call(
        self, action: str, params: Mapping[str, object], *, force_refresh: bool = False, version: str | None = ""
    ) -> Any:  # noqa: ANN401
        if not re.fullmatch(r"[a-z][a-z0-9_]*", action):
            raise ConfigError(f"{action!r} is not the name of a CKAN action")
        url = f"{self.base_url}/api/3/action/{action}"
        given = {name: _as_text(value) for name, value in params.items() if value is not None}
        response = self._session.fetch(url, given, force_refresh=force_refresh, version=version)
        answer = parse_answer(response.content)
        if response.status_code == 200 and isinstance(answer, dict) and answer.get("success") is True:
            return answer.get("result")
        self._session.forget(response)
        raise refusal(url, response, self._session.redact)

    def _pages(self, resource_id: str, page_rows: int, force_refresh: bool) -> Iterator[_Page]:
        """Yield the pages of a walk that held; the first that did not is thrown away."""
        for last in (False, True):
            try:
                spool = _set_aside(self._walk(resource_id, page_rows, force_refresh or last), self._session.cache_dir)
            except _MovedError as moved:
                if last:
                    raise SourceError(
                        f"{self.base_url}: table {resource_id} changed twice while it was read ({moved}); "
                        "it is being loaded anew: try again later"
                    ) from None
                logger.warning("%s: table %s changed while it was read (%s); reads it once more",
                               self.base_url, resource_id, moved)  # fmt: skip
            else:
                with spool:
                    yield from (_Page(*json.loads(line)) for line in spool)
                return

    def _walk(self, resource_id: str, page_rows: int, force_refresh: bool) -> Iterator[_Page]:
        version = self._version(resource_id)
        offset, last_id, total, fields = 0, None, None, []  # type: int, int | None, int | None, list[str]
        while True:
            params = {"resource_id": resource_id, "limit": page_rows, "offset": offset, "sort": "_id"}
            if offset:
                params["include_total"] = "false"  # counting costs the site a scan of the table
            try:
                result = self._call("datastore_search", params, force_refresh=force_refresh, version=version)
            except CKANError as error:
                if _TOO_SLOW not in error.said or page_rows <= _FEWEST_ROWS:
                    raise
                page_rows = max(_FEWEST_ROWS, page_rows // 2)
                continue
            records, limit = _read_page(result, resource_id, page_rows)
            if not offset:
                total, fields = _total(result), _fields(result, records)
            last_id = _check_ids(records, last_id)
            offset += len(records)
            if records or not offset:
                yield _Page(fields, records)
            if not records or (len(records) < limit and (total is None or offset >= total)):
                break
        if total is not None and offset != total:
            raise _MovedError(f"{offset} rows came of {total}")
        if self._version(resource_id) != version:
            raise _MovedError("its date of change moved")

    def _version(self, resource_id: str) -> str | None:
        """Return the resource's dates of change, asked anew; None where it tells none."""
        resource = self._call("resource_show", {"id": resource_id}, version=None)
        told = resource if isinstance(resource, dict) else {}
        dates = [told.get(name) for name in ("last_modified", "metadata_modified")]
        return "&".join(str(date) for date in dates) if any(dates) else None


def _set_aside(pages: Iterator[_Page], folder: Path) -> TextIO:
    """Return a file without a name, one line a page, at its start."""
    try:
        with contextlib.ExitStack() as stack:
            spool = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder))
            for page in pages:
                spool.write(json.dumps(page) + "\n")
            spool.seek(0)
            stack.pop_all()
            return cast(TextIO, spool)
    except OSError as error:
        raise SourceError(f"{folder}: a table's pages cannot be set aside there ({error}); free space") from error


def _read_page(result: object, resource_id: str, asked: int) -> tuple[list[Record], int]:
    """Return a page's rows and the limit that the site applied."""
    records = result.get("records") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise SourceError(f"table {resource_id}: a page without rows in 'records'; check the site's version of CKAN")
    limit = result.get("limit")
    return records, limit if isinstance(limit, int) and 0 < limit <= asked else asked


def _total(result: Mapping[str, object]) -> int | None:
    """Return how many rows the table has, unless that is an estimate or not told."""
    total = result.get("total")
    try:
        return None if result.get("total_was_estimated") or total is None else int(str(total))
    except ValueError:
        return None


def _fields(result: Mapping[str, object], records: Sequence[Record]) -> list[str]:
    fields = result.get("fields")
    listed = fields if isinstance(fields, list) else []
    told = [str(field["id"]) for field in listed if isinstance(field, dict) and "id" in field]
    return told or list(records[0] if records else [])


def _check_ids(records: Sequence[Record], last_id: int | None) -> int | None:
    """Return the page's last ``_id``; raise unless each is greater than the one before."""
    for record in records:
        try:
            this = int(record["_id"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise SourceError("a row without a numbered '_id'; the table cannot be walked safely: "
                              "fetch its file instead") from None  # fmt: skip
        if last_id is not None and this <= last_id:
            raise _MovedError(f"_id {this} came after {last_id}")
        last_id = this
    return last_id


def _plain(text: str) -> str:
    """Return the text with a mark for what JSON can escape and no UTF-8 can hold."""
    return text.encode(errors="replace").decode()


def _cell(value: object) -> str | None:
    return None if value is None else _plain(value if isinstance(value, str) else json.dumps(value))


def connect_ckan(
    session: RateLimitedSession, url: str | None = None, *, candidates: Sequence[str] = CANDIDATES
) -> CKANClient:
    """Return a client of the given site, or of the first candidate that answers as a CKAN.

    Args:
        session: Paces, retries and caches.
        url: What the user set; taken alone and as it is.
        candidates: Which sites to try otherwise.

    Raises:
        SourceError: If no candidate answers as a CKAN.
        ConfigError: If ``url`` is not an address.
    """
    if url:
        return CKANClient(session, url)
    failed: list[str] = []
    for base in candidates:
        try:
            response = session.fetch(f"{base}/api/3/action/status_show")
            if _is_ckan(parse_answer(response.content)):
                if failed:
                    logger.info("takes %s: %s", base, "; ".join(failed))
                return CKANClient(session, base)
            failed.append(f"{base} does not answer as a CKAN (status {response.status_code})")
        except SourceError as error:
            failed.append(f"{base} does not answer ({error.__cause__.__class__.__name__})")
    raise SourceError(f"{'; '.join(failed)}; name a CKAN with --ckan-url, or take --source files")
