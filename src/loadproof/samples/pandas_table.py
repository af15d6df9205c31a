"""Tables in HDF5 as pandas' ``HDFStore`` writes them through PyTables in its ``table`` format, made with h5py alone.

The rows of ``<key>/table`` are ``index`` (nanoseconds since 1970, UTC) and ``values_block_0`` (all columns, 32 bits);
the attributes are those that PyTables wants to open the file, and pandas to know the columns. There is no index tree
(``_i_table``), which neither needs. Deflate and no Blosc, so that any HDF5 library reads it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5a, h5s, h5t

from loadproof.samples.plain_pickle import Plain, plain_pickle

__all__ = ["Column", "PandasTable", "hdf5_bytes"]

Column = tuple[str, str]
"""Physical quantity and type, such as power, active; the type may be empty."""

CHUNK_BYTES: Final = 2**16  # what PyTables makes of a table of unknown length


class PandasTable(NamedTuple):
    """One frame: its ``key`` below the root, times ``(N,)``, and values ``(N, C)`` of named columns."""

    key: str
    ts_ns: npt.NDArray[np.int64]
    columns: Sequence[Column]
    values: npt.NDArray[np.float32]


def hdf5_bytes(tables: Sequence[PandasTable], metadata: Mapping[str, Plain], *, timezone: str) -> bytes:
    """Return a whole HDF5 file; the same tables give the same bytes.

    Args:
        tables: The frames.
        metadata: By the group's path, what goes into its attribute ``metadata``, where NILMTK looks.
        timezone: In which pandas shows the index.
    """
    # In memory: no name, time or owner of a file can get into it.
    with h5py.File("sample.h5", "w", driver="core", backing_store=False) as file:
        _add_node(file, "GROUP", "1.0")
        _add_text(file, "PYTABLES_FORMAT_VERSION", "2.1")
        for table in tables:
            _add_table(_group(file, table.key), table, timezone)
        for key, facts in metadata.items():
            _add_pickle(_group(file, key), "metadata", facts)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _group(file: h5py.File, key: str) -> h5py.Group:
    """Return the group of a path, made with all above it where it is not there."""
    group = file["/"]
    for name in key.strip("/").split("/") if key.strip("/") else ():
        if name not in group:
            _add_node(group.create_group(name), "GROUP", "1.0")
        group = group[name]
    return group


def _add_table(group: h5py.Group, table: PandasTable, timezone: str) -> None:
    block = "values_block_0"
    rows = np.empty(len(table.ts_ns), np.dtype([("index", "<i8"), (block, "<f4", (len(table.columns),))]))
    rows["index"], rows[block] = table.ts_ns, table.values
    dataset = group.create_dataset(
        "table",
        data=rows,
        chunks=(CHUNK_BYTES // rows.dtype.itemsize,),
        maxshape=(None,),
        compression="gzip",
        compression_opts=9,
        shuffle=True,
        track_times=False,
    )
    names: Plain = list(table.columns)
    _add_node(dataset, "TABLE", "2.7")
    for number, (name, fill) in enumerate({"index": np.int64(0), block: np.float32(0)}.items()):
        _add_text(dataset, f"FIELD_{number}_NAME", name)
        dataset.attrs[f"FIELD_{number}_FILL"] = fill
    dataset.attrs["NROWS"] = np.int64(len(rows))
    _add_text(dataset, "index_kind", "datetime64")  # older pandas know no unit in brackets; it means nanoseconds
    _add_text(dataset, f"{block}_dtype", "float32")
    _add_pickle(dataset, f"{block}_kind", names)

    texts = {"pandas_type": "frame_table", "pandas_version": "0.15.2", "table_type": "appendable_frame",
             "nan_rep": "nan", "encoding": "UTF-8", "errors": "strict"}  # fmt: skip
    for name, text in texts.items():
        _add_text(group, name, text)
    pickles: dict[str, Plain] = {
        "index_cols": [(0, "index")],
        "values_cols": [block],
        "non_index_axes": [(1, names)],
        "data_columns": [],
        "info": {
            1: {"names": ["physical_quantity", "type"], "type": "MultiIndex"},
            "index": {"tz": timezone},
            block: {},
        },
    }
    for name, value in pickles.items():
        _add_pickle(group, name, value)
    group.attrs["levels"] = np.int64(1)


def _add_node(node: Any, kind: str, version: str) -> None:  # noqa: ANN401  # h5py has no types
    for name, text in {"CLASS": kind, "TITLE": "", "VERSION": version}.items():
        _add_text(node, name, text)


def _add_text(node: Any, name: str, text: str) -> None:  # noqa: ANN401
    _add(node, name, text.encode(), h5t.CSET_UTF8)


def _add_pickle(node: Any, name: str, value: Plain) -> None:  # noqa: ANN401
    _add(node, name, plain_pickle(value), h5t.CSET_ASCII)


def _add(node: Any, name: str, content: bytes, charset: int) -> None:  # noqa: ANN401
    """Add an attribute as PyTables does: a string as long as its bytes, and one of no length for no text."""
    kind = h5t.C_S1.copy()
    kind.set_size(max(len(content), 1))
    kind.set_cset(charset)
    space = h5s.create(h5s.SCALAR if content else h5s.NULL)
    attribute = h5a.create(node.id, name.encode(), kind, space)
    if content:
        attribute.write(np.array(content, dtype=f"S{len(content)}"), mtype=kind)
