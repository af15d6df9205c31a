"""Tables that pandas wrote through PyTables, read without executing anything.

Layout: ``/building2/elec/meter20/table``, rows of ``index`` (time since 1970, UTC) and ``values_block_k`` (one or more
columns), whose names stand in the attribute ``values_block_k_kind`` as a pickle. PyTables would unpickle every
attribute as it opens the file; here h5py hands over raw bytes, and only the names are parsed, by :func:`parse_plain`.
"""

import pickletools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import h5py
import hdf5plugin  # noqa: F401  # teaches HDF5 the Blosc filter as it is imported
import numpy as np
from numpy.typing import NDArray

from loadproof.errors import SourceError
from loadproof.parts import open_binary

__all__ = ["Column", "MeterNode", "MeterTable", "find_meters", "open_file", "open_table", "parse_plain"]

_HOUSE: Final = re.compile(r"building(\d{1,3})")
_METER: Final = re.compile(r"meter(\d{1,3})")
_BLOCK: Final = re.compile(r"values_block_\d+")
_ATTRIBUTE_BYTES: Final = 64 * 2**10  # the names of three columns take about a hundred
_CHUNK_BYTES: Final = 256 * 2**20  # HDF5 inflates a chunk whole; PyTables makes them of about 64 KiB
_COLUMNS: Final = 64
_RATIO: Final = 100
_SMALL_BYTES: Final = 64 * 2**20
"""Stamps and watts pack three to ten to one; rows of more than ``_RATIO`` times what is stored are a bomb, or claimed
and not there, unless they are few."""
_US_PER_TICK: Final[dict[str, tuple[int, int]]] = {
    "datetime64": (1, 1000),
    "datetime64[ns]": (1, 1000),
    "datetime64[us]": (1, 1),
    "datetime64[ms]": (1000, 1),
    "datetime64[s]": (1_000_000, 1),
}
_DAMAGE: Final = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError)
"""What h5py raises on a file that is damaged or holds what it has no type for."""

Column = tuple[str, str]
"""Physical quantity and type, such as power, active; the type may be empty."""


class MeterNode(NamedTuple):
    """Where one meter's rows are, and how many bytes they take as stored."""

    house: int
    meter: int
    node: str
    stored_bytes: int


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; what is broken in it becomes one clear error."""
    with _damage(f"{path}"):
        open_binary(path).close()  # says in fewer words than h5py why not
        file = h5py.File(path, "r", locking="best-effort")
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _damage(where: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise SourceError(f"{where}: no HDF5 file, or a damaged one ({_one_line(error)}); fetch it again") from error


def find_meters(path: Path) -> list[MeterNode]:
    """Return the meters of a file by house and number, whether or not they hold rows."""
    found: list[MeterNode] = []
    with open_file(path) as file, _damage(f"{path}"):
        for house, building in _children(file, _HOUSE):
            elec = _own(building, "elec")
            if isinstance(elec, h5py.Group):
                for meter, group in _children(elec, _METER):
                    table = _own(group, "table")
                    stored = int(table.id.get_storage_size()) if isinstance(table, h5py.Dataset) else 0
                    found.append(MeterNode(house, meter, str(group.name), stored))
    return sorted(found)


class MeterTable:
    """The rows of one meter.

    Args:
        dataset: The table.
        where: The file and the node, for messages.
        columns: Each column's block and place in the block.
        ticks: Microseconds per tick of the index, as a fraction.
    """

    def __init__(
        self, dataset: h5py.Dataset, where: str, columns: dict[Column, tuple[str, int]], ticks: tuple[int, int]
    ) -> None:
        self.where = where
        self.rows = int(dataset.shape[0])
        self.columns = columns
        self.stored_bytes = int(dataset.id.get_storage_size())
        self._dataset = dataset
        self._ticks = ticks

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return some rows as they are stored."""
        with _damage(f"{self.where}, rows {start + 1} to {stop}"):
            return np.asarray(self._dataset[start:stop])

    def ts_us(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the instants of rows, microseconds since 1970; those beyond what that can hold wrap round."""
        times, per = self._ticks
        ts: NDArray[np.int64] = rows["index"].astype(np.int64, copy=False) * times // per
        return ts

    def values(self, rows: NDArray[Any], column: Column) -> NDArray[np.float64]:
        """Return one column of rows."""
        block, place = self.columns[column]
        with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
            values: NDArray[np.float64] = rows[block].reshape(len(rows), -1)[:, place].astype(np.float64)
        return values


@contextmanager
def open_table(path: Path, node: str) -> Iterator[MeterTable]:
    """Open the table below a node.

    Raises:
        SourceError: If it is missing, is not what pandas writes, or its column names are more than names.
    """
    where = f"{path}{node}"
    with open_file(path) as file:
        with _damage(where):
            here = file
            for name in [*node.strip("/").split("/"), "table"]:
                here = _own(here, name) if isinstance(here, h5py.Group) else None
            if not isinstance(here, h5py.Dataset):
                raise SourceError(f"{where}: has no 'table' of rows; fetch the file again, or leave this house out")
            _check_storage(here, where)
            table = MeterTable(here, where, _columns(here, where), _ticks(here, where))
        yield table


@dataclass(frozen=True)
class _Mark:
    """What the pickle opcode MARK leaves on the stack."""


_MARK: Final = _Mark()
_VALUES: Final = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
})  # fmt: skip
_CONSTANTS: Final[dict[str, Any]] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def parse_plain(pickled: bytes, where: str) -> object:
    """Return what a pickle of lists, tuples, dicts, strings and numbers stands for; nothing is imported or called.

    Raises:
        SourceError: If it wants anything else, such as a class or a function, or is damaged.
    """
    stack: list[Any] = []
    memo: dict[object, Any] = {}
    try:
        for opcode, argument, position in pickletools.genops(pickled):
            if opcode.name == "STOP":
                return stack.pop()
            if not _step(opcode.name, argument, stack, memo):
                raise SourceError(
                    f"{where}: is a pickle that wants more than lists, strings and numbers (opcode {opcode.name} at "
                    f"byte {position}), and was not executed; fetch the file again from its publisher"
                )
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise SourceError(f"{where}: is a damaged pickle ({_one_line(error)}); fetch the file again") from error
    raise SourceError(f"{where}: is a pickle without an end; fetch the file again")


def _step(name: str, argument: object, stack: list[Any], memo: dict[object, Any]) -> bool:
    """Do what one opcode says to stack and memo; False if it is none of those that only build plain values."""
    if name in _VALUES:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _TUPLES:
        stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
    elif name in ("EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_DICT"):
        stack.append({"EMPTY_LIST": [], "EMPTY_TUPLE": (), "EMPTY_DICT": {}}[name])
    elif name in ("LIST", "TUPLE", "DICT"):
        items = _since_mark(stack)
        stack.append(_pairs(items) if name == "DICT" else tuple(items) if name == "TUPLE" else items)
    elif name in ("APPEND", "APPENDS"):
        items = [stack.pop()] if name == "APPEND" else _since_mark(stack)
        stack[-1].extend(items)
    elif name in ("SETITEM", "SETITEMS"):
        items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else _since_mark(stack)
        stack[-1].update(_pairs(items))
    elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
        memo[len(memo) if argument is None else argument] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    else:
        return name in ("PROTO", "FRAME")
    return True


def _since_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1 - stack[::-1].index(_MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _pairs(items: list[Any]) -> dict[str | int, Any]:
    keys = items[::2]
    if not all(isinstance(key, str | int) for key in keys):
        raise ValueError("a key is neither a string nor a number")  # nested tuples would take for ever to hash
    return dict(zip(keys, items[1::2], strict=True))


def _own(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return what lies in the group itself: a link could name any other file of this machine."""
    return group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None


def _children(group: h5py.Group, pattern: re.Pattern[str]) -> Iterator[tuple[int, h5py.Group]]:
    for name in group:
        match = pattern.fullmatch(name)
        child = _own(group, name) if match else None
        if match and isinstance(child, h5py.Group):
            yield int(match[1]), child


def _check_storage(table: h5py.Dataset, where: str) -> None:
    """Refuse rows that lie elsewhere, are nowhere, or cannot be read in pieces."""
    if table.external or table.is_virtual:
        raise SourceError(f"{where}: its rows lie in another file; fetch the file again from its publisher")
    if len(table.shape or ()) != 1 or not table.dtype.names:
        raise SourceError(f"{where}: is no table of rows; write it with pandas' HDFStore in the 'table' format")
    if table.shape[0] >= 2**32 or (table.shape[0] and not table.id.get_storage_size()):
        raise SourceError(f"{where}: claims {table.shape[0]} rows that it does not hold; fetch the file again")
    unpacked = int(table.shape[0]) * table.dtype.itemsize
    if unpacked > max(_SMALL_BYTES, _RATIO * int(table.id.get_storage_size())):
        raise SourceError(
            f"{where}: would unpack to {unpacked} bytes, more than {_RATIO} times what is stored, as no power does; "
            "fetch the file again from its publisher"
        )
    if table.dtype.itemsize * (table.chunks or (1,))[0] > _CHUNK_BYTES:
        raise SourceError(f"{where}: its chunks are larger than {_CHUNK_BYTES} bytes; repack it with smaller ones")


def _columns(table: h5py.Dataset, where: str) -> dict[Column, tuple[str, int]]:
    """Return where each named column lies, from the blocks' own lists of names."""
    found: dict[Column, tuple[str, int]] = {}
    for block in table.dtype.names or ():
        if not _BLOCK.fullmatch(block):
            continue
        field = table.dtype[block]
        names = parse_plain(_attribute(table, f"{block}_kind", where), f"{where}, attribute {block}_kind")
        named = [_column(name) for name in names] if isinstance(names, list) and len(names) <= _COLUMNS else [None]
        plain = field.base.kind in "fiu" and len(field.shape) <= 1
        if not plain or None in named or len(named) != int(np.prod(field.shape)):
            raise SourceError(f"{where}: {block} does not fit the names in {block}_kind; fetch the file again")
        found.update({name: (block, place) for place, name in enumerate(named) if name is not None})
    index = table.dtype.fields["index"][0] if "index" in (table.dtype.names or ()) else None
    if not found or index is None or index.kind != "i" or index.itemsize != 8 or index.shape:
        raise SourceError(f"{where}: lacks 'index' or 'values_block_0'; write it with pandas' HDFStore as a 'table'")
    return found


def _column(name: object) -> Column | None:
    if isinstance(name, str):
        return (name, "")
    if isinstance(name, tuple | list) and len(name) == 2 and all(isinstance(part, str) for part in name):
        return (name[0], name[1])
    return None


def _attribute(table: h5py.Dataset, name: str, where: str) -> bytes:
    """Return an attribute's raw bytes."""
    if name not in table.attrs:
        raise SourceError(f"{where}: lacks the attribute {name}; write it with pandas' HDFStore as a 'table'")
    size = table.attrs.get_id(name).get_storage_size()
    value = table.attrs[name] if size <= _ATTRIBUTE_BYTES else None
    if isinstance(value, str):
        return value.encode("latin-1", errors="replace")
    if not isinstance(value, bytes):
        raise SourceError(f"{where}: the attribute {name} is no short text; fetch the file again")
    return bytes(value)


def _ticks(table: h5py.Dataset, where: str) -> tuple[int, int]:
    kind = _attribute(table, "index_kind", where).decode("ascii", errors="replace")
    if kind not in _US_PER_TICK:
        raise SourceError(f"{where}: its index is {kind[:40]!r} and not a time; write it with a time index")
    return _US_PER_TICK[kind]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
