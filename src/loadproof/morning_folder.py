"""A morning's run at rest: what each group of entities left, under way in a working folder, then all of it in place.

Below ``<root>/`` (one ``t0``) the folder ``.fleet-<dataset>-<key>/`` is under way: ``<table>/part-NNNNN.parquet`` of
each group, ``<table>/part-NNNNN.safetensors`` where it is arrays, and ``done/<step>/NNNNN.json``, a small record that
is put there last. ``fleet/`` holds the tables of a run that ended, and ``fleet.json``, its summary; the folder is put
in place whole. ``<root>/../.fleet-days/<dataset>/`` keeps scored days from one morning to the next.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from loadproof.errors import ConfigError, SchemaError
from loadproof.files import as_json, write_parquet, write_text, write_together
from loadproof.schema import Dataset

__all__ = ["Arrays", "MorningFolder"]

logger = logging.getLogger(__name__)

SUMMARY: Final = "fleet.json"

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by name."""


def _json(facts: Mapping[str, Any]) -> Callable[[Path], None]:
    return partial(write_text, as_json(facts))


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
    except ValueError as error:
        raise SchemaError(f"{path}: is damaged ({error}); remove it, and run 'loadproof fleet' again") from error


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Read a file of the folder under way.

    Raises:
        SchemaError: If it is damaged, as after the power went: all that stands beside it is in doubt too.
    """
    try:
        yield path
    except (SafetensorError, pl.exceptions.ComputeError) as error:
        raise SchemaError(
            f"{path}: is damaged ({error}); remove the folder .fleet-* that it is in, and run 'loadproof fleet' again"
        ) from error


def _save(arrays: Arrays, path: Path) -> None:
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def _show(file: Path, place: Path) -> None:
    """Show a file in a second place too; a copy where the disk knows no links."""
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


@dataclass(frozen=True)
class MorningFolder:
    """Where a run of one instant and dataset lies; ``key`` names what goes into it, so that other input starts anew."""

    root: Path
    dataset: Dataset
    key: str

    @property
    def final(self) -> Path:
        """The tables of the run that ended."""
        return self.root / "fleet"

    @property
    def working(self) -> Path:
        """What is under way."""
        return self.root / f".fleet-{self.dataset}-{self.key}"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only process at the instant.

        Raises:
            ConfigError: If another one is at it.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root.with_name(f".{self.root.name}.lock")).acquire(timeout=0):
                yield
        except Timeout as error:
            raise ConfigError(f"{self.final}: another process makes it now; wait for it to end") from error

    def part(self, table: str, number: int) -> Path:
        """Return where a group's rows of a table are."""
        return self.working / table / f"part-{number:05d}.parquet"

    def _record(self, step: str, number: int) -> Path:
        return self.working / "done" / step / f"{number:05d}.json"

    def done(self, step: str, number: int) -> dict[str, Any] | None:
        """Return the record of a group's step that ended, None of any other."""
        return _read_json(self._record(step, number))

    def keep(
        self, step: str, number: int, tables: Mapping[str, pl.DataFrame], record: Mapping[str, Any],
        arrays: Mapping[str, Arrays] | None = None,
    ) -> None:  # fmt: skip
        """Put a group's tables and arrays in place, and then its record, which tells the tables' names too."""
        files: dict[Path, Callable[[Path], Any]] = {
            self.part(table, number): partial(write_parquet, frame) for table, frame in tables.items()
        }
        files |= {self._arrays(table, number): partial(_save, some) for table, some in (arrays or {}).items()}
        write_together({**files, self._record(step, number): _json({**record, "tables": sorted(tables)})}, alone=False)

    def _arrays(self, table: str, number: int) -> Path:
        return self.part(table, number).with_suffix(".safetensors")

    def keep_arrays(self, table: str, number: int, arrays: Arrays) -> None:
        """Put a group's arrays in place."""
        write_together({self._arrays(table, number): partial(_save, arrays)}, alone=False)

    def arrays(self, table: str, number: int, under: str = "") -> dict[str, NDArray[Any]]:
        """Return a group's arrays, or those whose names begin with ``under``, by what follows; no other is read."""
        with _whole(self._arrays(table, number)) as path, safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith(under)]  # noqa: SIM118
            return {name.removeprefix(under): file.get_tensor(name) for name in names}

    def array(self, table: str, number: int, name: str) -> NDArray[Any]:
        """Return one of a group's arrays; no other is read."""
        with _whole(self._arrays(table, number)) as path, safe_open(path, framework="numpy") as file:
            return np.asarray(file.get_tensor(name))

    def holds(self, table: str, number: int) -> bool:
        """Return whether a group has arrays of a name."""
        return self._arrays(table, number).is_file()

    def read(self, table: str, number: int) -> pl.DataFrame | None:
        """Return a group's rows of a table, None where it has none."""
        if not self.part(table, number).is_file():
            return None
        with _whole(self.part(table, number)) as path:
            return pl.read_parquet(path, glob=False)

    def kept(self, step: str, table: str, numbers: Iterable[int]) -> list[int]:
        """Return which of some groups have rows of a table, by the records of the step that keeps it.

        Raises:
            SchemaError: If a record tells of rows that are not there.
        """
        told = [number for number in numbers if table in (self.done(step, number) or {"tables": ()})["tables"]]
        for path in (self.part(table, number) for number in told):
            if not path.is_file():
                raise SchemaError(
                    f"{path}: is gone, though its group was done; remove the folder .fleet-* that it was in, and run "
                    "'loadproof fleet' again"
                )
        return told

    def read_all(self, table: str, numbers: Iterable[int]) -> Iterator[pl.DataFrame]:
        """Yield the rows of each of some groups that has any."""
        for number in numbers:
            if (frame := self.read(table, number)) is not None:
                yield frame

    def days(self, watch: str, whose: str) -> pl.DataFrame | None:
        """Return the scored days that the last morning kept of a group; None where there are none that can be read.

        Args:
            watch: Names the detector and all that it scores by.
            whose: Names the group's entities.
        """
        path = self._days(watch, whose)
        try:
            return pl.read_parquet(path, glob=False) if path.is_file() else None
        except (pl.exceptions.ComputeError, FileNotFoundError) as error:
            logger.info("%s: cannot be read (%s); its days are scored again", path, error)
            return None

    def keep_days(self, watch: str, whose: str, table: str, number: int) -> None:
        """Keep a group's table of scored days for the mornings to come; without it they are scored again."""
        path = self._days(watch, whose)
        try:
            write_together({path: partial(_show, self.part(table, number))}, alone=False)
        except OSError as error:
            logger.warning("%s: is not kept (%s); its days are scored again another morning", path, error)

    def forget_days(self, watch: str, but: Iterable[str]) -> None:
        """Remove the days that were kept of groups that are no more, all but these, and by the detector as it was.

        Args:
            watch: As in :meth:`days`; what stands before its last hyphen is the detector's name, whatever it scores by.
            but: Names the groups that there are.
        """
        known, ours = set(but), self._days(watch, "any").parent
        for path in ours.glob("*.parquet"):
            if path.stem not in known:
                path.unlink(missing_ok=True)
        for other in ours.parent.glob(f"{watch.rpartition('-')[0]}-*/"):
            if other != ours and other.name.rpartition("-")[0] == watch.rpartition("-")[0]:
                shutil.rmtree(other, ignore_errors=True)  # another morning may be at it

    def _days(self, watch: str, whose: str) -> Path:
        return self.root.parent / ".fleet-days" / self.dataset / watch / f"{whose}.parquet"

    def standing(self) -> dict[str, Any] | None:
        """Return the summary of the run that ended with all that this one would read, None of any other.

        Raises:
            ConfigError: If the run that ended is another dataset's, which this one would take the place of.
        """
        self._swap()
        summary = _read_json(self.final / SUMMARY)
        if summary is not None and summary.get("dataset") != self.dataset:
            raise ConfigError(f"{self.final}: holds the morning of {summary.get('dataset')}; name another --output-dir")
        return summary if summary is not None and summary.get("key") == self.key else None

    def publish(
        self, parts: Mapping[str, tuple[str, Sequence[int]]], whole: Mapping[str, pl.DataFrame],
        summary: Mapping[str, Any],
    ) -> dict[str, Any]:  # fmt: skip
        """Put a run's tables in place, all at once, and return the summary as it stands there.

        Args:
            parts: Tables that stay a file a group, what each is called so far, and which groups have one.
            whole: Tables that are one file.
            summary: What the run found; ``dataset`` and ``key`` are added.

        Raises:
            FileNotFoundError: If a table is not there; nothing is put in place.
        """
        beside = self.root / ".fleet.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        files = {beside / f"{name}.parquet": partial(write_parquet, frame) for name, frame in whole.items()}
        summary = {**summary, "dataset": self.dataset, "key": self.key}
        write_together({**files, beside / SUMMARY: _json(summary)})
        for table, (source, numbers) in parts.items():
            (beside / table).mkdir(parents=True, exist_ok=True)
            for path in (self.part(source, number) for number in numbers):
                _show(path, beside / table / path.name)
        shutil.rmtree(self.root / ".fleet.new", ignore_errors=True)
        beside.rename(self.root / ".fleet.new")
        self._swap()
        return summary

    def _swap(self) -> None:
        """Put the whole folder that stands beside in place, as after a kill in the middle of that."""
        new, old = self.root / ".fleet.new", self.root / ".fleet.old"
        if new.is_dir():
            shutil.rmtree(old, ignore_errors=True)
            if self.final.is_dir():
                self.final.rename(old)
            new.rename(self.final)
        shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        """Remove what is under way of all runs of the instant and dataset."""
        for path in self.root.glob(f".fleet-{self.dataset}-*"):
            shutil.rmtree(path)
