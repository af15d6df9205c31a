"""A store's twin in an object store: files that are never written over, and a manifest that is put last.

Below the twin's address ``manifest.json`` names every file of the store with its size and digest. The bytes lie at
``<folder>/<name>.<digest><ending>``, so that another content is another object, and a reader who holds a manifest finds
its files whatever is published meanwhile. One object is put whole or not at all; so is the manifest, and with it all.
Credentials are what the libraries find in the environment; nothing here sees them. Why so: ``docs/decisions.md``.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, get_args

from loadproof.errors import ConfigError, SchemaError, SourceError
from loadproof.files import as_json
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["Moved", "Twin", "url_of"]

_URL: Final = re.compile(r"(s3|az|abfss?):/{1,2}(?=[^/])(.+)")
_MANIFEST: Final = "manifest.json"
_FOLDERS: Final = ("processed", "rejected", "network", "weather", "summaries")
_TRIES: Final = 3
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ENVIRONMENT: Final = {"s3": "AWS_ACCESS_KEY_ID and its like", "a": "AZURE_STORAGE_CONNECTION_STRING or its like"}


class Moved(NamedTuple):
    """How many files the twin has, how many of them went over the wire, and their bytes."""

    files: int
    moved: int
    moved_bytes: int


class _File(NamedTuple):
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class _Manifest:
    """What a twin holds: files by their path in the store, and objects that only the manifest before named."""

    files: Mapping[str, _File] = field(default_factory=dict)
    superseded: frozenset[str] = frozenset()

    @property
    def objects(self) -> frozenset[str]:
        return frozenset(_object(name, file) for name, file in self.files.items())

    def as_bytes(self) -> bytes:
        files = {name: file._asdict() for name, file in self.files.items()}
        return as_json({"files": files, "superseded": sorted(self.superseded)}).encode()


def url_of(root: Path) -> str | None:
    """Return the address that a path stands for, which folds two slashes into one; None for a folder.

    Raises:
        ConfigError: If the address holds a password.
    """
    if not (found := _URL.fullmatch(root.as_posix())):
        return None
    scheme, place = found.groups()
    owner, at, _ = place.partition("/")[0].rpartition("@")
    if at and (scheme in ("s3", "az") or ":" in owner):
        raise ConfigError(f"{scheme}://...: an address holds no key; leave it out and set it in the environment")
    return f"{scheme}://{place.rstrip('/')}"


def _object(name: str, file: _File) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}.{file.sha256[:16]}{path.suffix}"))


def _look(path: Path) -> _File:
    with path.open("rb") as stream:
        return _File(hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size)


def _folders(store: Store) -> dict[str, Path]:
    """Return the folders of a store by the names that they have in a twin; the summaries last."""
    roots = (store.root, store.rejected_root, store.network_root, store.weather_root, store.summaries_root)
    return dict(zip(_FOLDERS, roots, strict=True))


def _arrivals(store: Store) -> Path:
    return store.staging_root / "fetched"


def _files(store: Store) -> dict[str, Path]:
    """Return a store's files by their names in a twin."""
    return {
        f"{name}/{path.relative_to(root).as_posix()}": path
        for name, root in _folders(store).items()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }


@contextmanager
def _at_rest(store: Store) -> Iterator[None]:
    """Hold the store against every ingest.

    Raises:
        SourceError: If one runs now, or was cut off in its last step.
    """
    with ExitStack() as stack:
        for dataset in get_args(Dataset):
            stack.enter_context(store.writing(dataset))
            if store.begun_commits(dataset):
                raise SourceError(f"{store.root}: an ingest of {dataset} was cut off in its last step; run it again")
        yield


class Twin:
    """A store's twin at ``url``: ``s3://bucket/prefix``, ``az://container/prefix`` or ``abfs(s)://...``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def publish(self, store: Store) -> Moved:
        """Make the twin hold what the store holds; what it has already is not sent.

        Cut off, it leaves the twin as it was, and run again it sends what is missing.

        Raises:
            SourceError: If the store is empty or being written, the twin cannot be had, or another process published
                meanwhile.
        """
        with _at_rest(store):
            paths, before = _files(store), self._manifest()
            now = {name: _look(path) for name, path in paths.items()}
            if not now:
                raise SourceError(f"{store.root}: holds nothing to publish; ingest something first")
            there = self._sizes()
            lacking = [name for name, file in now.items() if there.get(_object(name, file)) != file.size_bytes]
            for name in lacking:
                self._ask("put_file", str(paths[name]), self._at(_object(name, now[name])))
        sent = Moved(len(now), len(lacking), sum(now[name].size_bytes for name in lacking))
        if now == before.files:
            return sent
        if self._manifest() != before:
            raise SourceError(f"{self.url}: another process published meanwhile; run the same command again")
        after = _Manifest(now, before.objects - _Manifest(now).objects)
        # Readers of the manifest before have had the time of a whole publication.
        for gone in sorted(before.superseded - after.objects):
            self._remove(gone)
        self._ask("pipe_file", self._at(_MANIFEST), after.as_bytes())
        return sent

    def fetch(self, store: Store) -> Moved:
        """Make the store hold what the twin holds; a twin that was never published leaves it as it is.

        Files arrive beside the store and are put in place when all of them are whole, the summaries last.

        Raises:
            SourceError: If the store is being written, or the twin cannot be had or is damaged.
        """
        for again in range(_TRIES):
            manifest = self._manifest()
            if not manifest.files:
                return Moved(0, 0, 0)
            with _at_rest(store):
                here = {name: _look(path) for name, path in _files(store).items()}
                missing = {name: file for name, file in manifest.files.items() if here.get(name) != file}
                try:
                    arrived = {name: self._get(name, file, store) for name, file in missing.items()}
                except FileNotFoundError:
                    if again + 1 < _TRIES:
                        continue  # two publications later, what this manifest names may be gone
                    raise SourceError(
                        f"{self.url}: objects are missing that its manifest names; run the ingest again where it ran"
                    ) from None
                self._settle(store, manifest, arrived)
            return Moved(len(manifest.files), len(missing), sum(file.size_bytes for file in missing.values()))
        raise AssertionError("the last try returns or raises")

    def _settle(self, store: Store, manifest: _Manifest, arrived: Mapping[str, Path]) -> None:
        """Put what has arrived in place, then remove what the twin does not hold."""
        for folder, root in _folders(store).items():
            for name in [name for name in arrived if name.startswith(f"{folder}/")]:
                path = root / name.partition("/")[2]
                path.parent.mkdir(parents=True, exist_ok=True)
                arrived[name].replace(path)
        for name, path in _files(store).items():
            if name not in manifest.files:
                path.unlink()
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
        shutil.rmtree(_arrivals(store), ignore_errors=True)

    def _manifest(self) -> _Manifest:
        """Return the manifest; one of nothing before the first publication."""
        try:
            facts = json.loads(self._ask("cat_file", self._at(_MANIFEST)))
            files = {name: _File(file["sha256"], file["size_bytes"]) for name, file in facts["files"].items()}
            superseded = frozenset(facts["superseded"])
        except FileNotFoundError:
            return _Manifest()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged() from error
        digests = [file.sha256 for file in files.values()]
        if not all(map(_is_below, [*files, *superseded])) or not all(map(_DIGEST.fullmatch, digests)):
            raise self._damaged()
        return _Manifest(files, superseded)

    def _damaged(self) -> SchemaError:
        return SchemaError(f"{self.url}/{_MANIFEST}: is no manifest of a store; name another address, or remove it")

    def _sizes(self) -> dict[str, int]:
        """Return the size of each object that is there, also of what a killed publication sent."""
        try:
            found = self._ask("find", self._at(""), detail=True)
        except FileNotFoundError:
            return {}
        start = self._at("").lstrip("/")
        return {path.lstrip("/").removeprefix(start): int(facts["size"]) for path, facts in found.items()}

    def _get(self, name: str, file: _File, store: Store) -> Path:
        """Return where a file has arrived, whole, beside the store; what a killed run fetched is not fetched again."""
        path = _arrivals(store) / f"{file.sha256}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        if path.is_file() and _look(path) == file:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._ask("get_file", self._at(_object(name, file)), str(path))
        if _look(path) != file:
            path.unlink()
            raise SourceError(
                f"{self.url}/{_object(name, file)}: has other bytes than its name says; remove it, and run the ingest "
                "again where it ran, which sends it anew"
            )
        return path

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._ask("rm_file", self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._opened[1].rstrip('/')}/{name}"

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """The file system of fsspec, and the twin's place in it."""
        try:
            from fsspec.core import url_to_fs

            system, place = self._quietly(url_to_fs, self.url, use_listings_cache=False, skip_instance_cache=True)
            return system, str(place)
        except ImportError as error:
            raise ConfigError(f"{self.url}: needs libraries that are not here; install loadproof[cloud]") from error

    def _ask(self, method: str, *arguments: str | bytes, **settings: bool) -> Any:  # noqa: ANN401  fsspec has no types
        return self._quietly(getattr(self._opened[0], method), *arguments, **settings)

    def _quietly(self, function: Callable[..., Any], *arguments: str | bytes, **settings: bool) -> Any:  # noqa: ANN401
        """Name the twin in what goes wrong on the wire, and nothing that the service said: it may quote a signature.

        Raises:
            FileNotFoundError: As it is, and so any error of a file of this machine.
            SourceError: Instead of all others, which hang on it nowhere.
        """
        try:
            return function(*arguments, **settings)
        except _errors(self.url) as error:
            if isinstance(error, FileNotFoundError) or getattr(error, "filename", None):
                raise
            kind = type(error).__name__
        said = next(words for start, words in _ENVIRONMENT.items() if self.url.startswith(start))
        raise SourceError(f"{self.url}: cannot be had ({kind}); see that it is there and that {said} are right")


def _errors(url: str) -> tuple[type[BaseException], ...]:
    """Return what the libraries raise, besides errors of this machine's files."""
    if url.startswith("s3"):
        from botocore.exceptions import BotoCoreError, ClientError

        return (OSError, BotoCoreError, ClientError)
    from azure.core.exceptions import AzureError

    return (OSError, ValueError, AzureError)


def _is_below(name: str) -> bool:
    """Whether a name leads to a folder of the store and nowhere else."""
    first, *rest = name.split("/")
    return first in _FOLDERS and bool(rest) and not {"", ".", ".."} & set(rest)
