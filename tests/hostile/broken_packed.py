"""Ways to break an archive, an HDF5 file or a packed file, each a function that writes it at a path."""

import gzip
import io
import os
import pickle
import stat
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
from tests.hostile.good_files import ACTIVE, ROW, SORTS, Sort, rows_of, write_h5, zipped

MEMBER = Path(SORTS["lcl"].bad).name
NODE = "/building2/elec/meter9"
BOMB_BYTES = 64 * 2**20
PLANTED = Path("planted")
"""What the planted pickles would make in the working folder, if anybody ran them."""


class Planted:
    """Makes a file wherever it is unpickled."""

    def __reduce__(self):
        return (os.system, (f"touch {PLANTED}",))


def text_of(sort: Sort) -> bytes:
    return sort.text(sort.lines())


def patched(path: Path, *, at: int, central: int, value: bytes) -> None:
    """Overwrite a field of the one member's local and central header."""
    data = bytearray(path.read_bytes())
    start = data.rindex(b"PK\x01\x02")
    data[at : at + len(value)] = value
    data[start + central : start + central + len(value)] = value
    path.write_bytes(data)


def no_archive(sort: Sort, path: Path) -> None:
    path.write_bytes(text_of(sort))


def zero_bytes(sort: Sort, path: Path) -> None:
    path.write_bytes(b"")


def cut_in_half(sort: Sort, path: Path) -> None:
    sound(sort, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def sound(sort: Sort, path: Path) -> None:
    if path.suffix == ".zip":
        zipped(path, (MEMBER, text_of(sort)))
    elif path.suffix == ".h5":
        write_h5(path, rows_of(sort.stamps()))
    else:
        path.write_bytes(gzip.compress(text_of(sort), mtime=0))


def a_damaged_byte(sort: Sort, path: Path) -> None:
    sound(sort, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)


def zip_bomb(sort: Sort, path: Path) -> None:
    zipped(path, (MEMBER, sort.head[0].encode() + b"\n" * BOMB_BYTES))


def zip_bomb_that_lies(sort: Sort, path: Path) -> None:
    zip_bomb(sort, path)
    patched(path, at=22, central=24, value=struct.pack("<I", 4096))


def zip_of_other_folders(sort: Sort, path: Path) -> None:
    halves = sort.lines()[:48], sort.lines()[48:]
    names = f"../../{MEMBER}", f"/tmp/{MEMBER.replace('_1', '_2')}"
    zipped(path, *((name, sort.text(lines)) for name, lines in zip(names, halves, strict=True)))


def zip_of_a_symlink(sort: Sort, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo(MEMBER)
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")


def zip_encrypted(sort: Sort, path: Path) -> None:
    sound(sort, path)
    patched(path, at=6, central=8, value=b"\1\0")


def zip_deflate64(sort: Sort, path: Path) -> None:
    sound(sort, path)
    patched(path, at=8, central=10, value=b"\x09\0")


def zip_with_the_good_ones_name(sort: Sort, path: Path) -> None:
    zipped(path, (Path(SORTS["lcl"].good).name, text_of(sort)))


def zip_of_one_name_twice(sort: Sort, path: Path) -> None:
    zipped(path, (MEMBER, text_of(sort)), (MEMBER, text_of(sort)))


def zip_in_a_zip(sort: Sort, path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(MEMBER, text_of(sort))
    zipped(path, ("Partitioned LCL Data.zip", inner.getvalue()))


def zip_of_a_name_that_speaks(sort: Sort, path: Path) -> None:
    zipped(path, (f"\x1b[2J\nerror: all is well/{MEMBER}", text_of(sort)))


def gzip_bomb(sort: Sort, path: Path) -> None:
    with gzip.GzipFile(path, "w", compresslevel=1, mtime=0) as file:
        for _ in range(80):
            file.write(bytes(4 * 2**20))


def gzip_bomb_of_lines(sort: Sort, path: Path) -> None:
    path.write_bytes(gzip.compress(b"Conventions,G,BADC-CSV,1\n" + b"\n" * BOMB_BYTES, 1, mtime=0))


def h5_without_its_table(sort: Sort, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group(NODE)


def h5_without_meters(sort: Sort, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("/house_2/channel_9")


def h5_planted_where_we_read(sort: Sort, path: Path) -> None:
    write_h5(path, rows_of(sort.stamps()), kind=pickle.dumps(Planted(), 0))


def h5_planted_everywhere_else(sort: Sort, path: Path) -> None:
    sound(sort, path)
    with h5py.File(path, "a") as file:
        for node in (file, file[NODE], file[NODE]["table"]):
            for name in ("TITLE", "CLASS", "VERSION", "encoding", "info", "non_index_axes"):
                node.attrs[name] = np.bytes_(pickle.dumps(Planted(), 0))


def h5_of_voltage(sort: Sort, path: Path) -> None:
    write_h5(path, rows_of(sort.stamps()), kind=ACTIVE.replace(b"Vpower", b"Vvoltage").replace(b"Vactive", b"V"))


def h5_of_two_names_for_one_column(sort: Sort, path: Path) -> None:
    write_h5(path, rows_of(sort.stamps()), kind=pickle.dumps([("power", "active"), ("power", "active")], 0))


def h5_bomb(sort: Sort, path: Path) -> None:
    rows = np.zeros(2**20, ROW)
    with h5py.File(path, "w") as file:
        table = file.create_group(NODE).create_dataset(
            "table", (8 * len(rows),), ROW, chunks=(2**18,), compression="gzip", compression_opts=9
        )
        for start in range(0, len(table), len(rows)):
            table[start : start + len(rows)] = rows
        table.attrs["index_kind"], table.attrs["values_block_0_kind"] = np.bytes_(b"datetime64"), np.bytes_(ACTIVE)


def h5_of_claimed_rows(sort: Sort, path: Path) -> None:
    with h5py.File(path, "w") as file:
        table = file.create_group(NODE).create_dataset("table", (4 * 10**9,), ROW, chunks=(1024,))
        table[:1024] = np.zeros(1024, ROW)
        table.attrs["index_kind"], table.attrs["values_block_0_kind"] = np.bytes_(b"datetime64"), np.bytes_(ACTIVE)


def h5_of_rows_elsewhere(sort: Sort, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group(NODE).create_dataset("table", (96,), ROW, external=[("/etc/passwd", 0, 96 * ROW.itemsize)])


def h5_of_odd_values(sort: Sort, path: Path) -> None:
    rows = rows_of(sort.stamps())
    rows["values_block_0"][40:43, 0] = np.inf, np.nan, -300
    rows["index"][44] = -(2**63)
    write_h5(path, rows)


def h5_of_the_same_meter(sort: Sort, path: Path) -> None:
    with h5py.File(path.with_name("a.h5")) as file:
        rows = file["/building2/elec/meter8"]["table"][:]
    write_h5(path, rows, node="/building2/elec/meter8")


def a_directory(sort: Sort, path: Path) -> None:
    path.mkdir()


def a_pipe(sort: Sort, path: Path) -> None:
    os.mkfifo(path)


def zip_of_5000_digits(sort: Sort, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(Path(sort.bad).name.replace("b.zip", "LCL-June2015v2_1.csv"), sort.text(sort.lines()))
        archive.writestr(f"LCL-June2015v2_{'1' * 5000}.csv", sort.text(sort.lines()))


def zip_of_a_folder(sort: Sort, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("LCL-June2015v2_1.csv/", b"")
        archive.writestr("LCL-June2015v2_1.csv", sort.text(sort.lines()))


def a_loop(sort: Sort, path: Path) -> None:
    path.symlink_to(path.name)
