"""Ways to break a text file, each a function that writes the bad file of one sort at a path."""

import datetime as dt
import os
from pathlib import Path

from tests.hostile.good_files import MINUTE, UTC, Sort

LONG = 10_000_000
PLACE = 40
"""The row, counted from 0, that is broken where one is."""


def one_row(sort: Sort, path: Path, line: bytes | str) -> None:
    """Put one other line among sound ones."""
    lines = sort.text(sort.lines()).splitlines(keepends=True)
    lines[len(sort.head) + PLACE] = (line if isinstance(line, bytes) else line.encode()) + b"\n"
    path.write_bytes(b"".join(lines))


def one_value(sort: Sort, path: Path, *values: str) -> None:
    """Put other values among sound ones."""
    stamps = sort.stamps()
    lines = [sort.row(stamp, sort.value) for stamp in stamps]
    for n, value in enumerate(values):
        lines[PLACE + n] = sort.row(stamps[PLACE + n], value)
    path.write_bytes(sort.text(lines))


def zero_bytes(sort: Sort, path: Path) -> None:
    path.write_bytes(b"")


def header_only(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text([]))


def cut_in_a_row(sort: Sort, path: Path) -> None:
    whole = sort.text(sort.lines())
    path.write_bytes(whole[: whole.rindex(sort.lines()[-1].encode()) + 9])


def other_delimiter(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).replace(b",", b";").replace(b" ", b"\t"))


def utf16(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).decode().encode("utf-16"))


def utf16_without_mark(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).decode().encode("utf-16-le"))


def nuls(sort: Sort, path: Path) -> None:
    one_row(sort, path, b"\0" * 512)


def long_line(sort: Sort, path: Path) -> None:
    one_row(sort, path, b"7" * LONG)


def long_line_of_delimiters(sort: Sort, path: Path) -> None:
    one_row(sort, path, b"," * LONG)


def long_header(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).replace(b"\n", b"," * LONG + b"\n", 1))


def quote_without_end(sort: Sort, path: Path) -> None:
    one_row(sort, path, '"' + sort.lines()[PLACE])


def doubled_column(sort: Sort, path: Path) -> None:
    *head, columns = sort.head
    lines = [*head, f"{columns},{sort.columns[1]}", *(f"{line},1" for line in sort.lines()), *sort.tail]
    path.write_text("".join(f"{line}\n" for line in lines))


def renamed_column(sort: Sort, path: Path) -> None:
    *head, columns = sort.head
    path.write_text("".join(f"{line}\n" for line in [*head, columns.replace(sort.columns[1], "kilowatts"),
                                                     *sort.lines(), *sort.tail]))  # fmt: skip


def thousands_in_one_row(sort: Sort, path: Path) -> None:
    one_value(sort, path, "1,234.5")


def thousands_in_quotes(sort: Sort, path: Path) -> None:
    one_value(sort, path, '"1,234.5"')


def thousands_everywhere(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text([sort.row(stamp, "1,234.5") for stamp in sort.stamps()]))


def inf_and_nan(sort: Sort, path: Path) -> None:
    one_value(sort, path, "inf", "nan", "-inf")


def negative(sort: Sort, path: Path) -> None:
    one_value(sort, path, "-300")


def sentinel(sort: Sort, path: Path) -> None:
    one_value(sort, path, "4294967296")


def no_number(sort: Sort, path: Path) -> None:
    one_value(sort, path, "1.2.3", "0x10")


def in_1970_and_2099(sort: Sort, path: Path) -> None:
    lines = sort.lines()
    lines[PLACE] = sort.row(dt.datetime(1970, 1, 1, 0, 30, tzinfo=UTC) + sort.step * 2, sort.value)
    lines[PLACE + 1] = sort.row(dt.datetime(2099, 1, 1, tzinfo=UTC), sort.value)
    path.write_bytes(sort.text(lines))


def stamp_without_sense(sort: Sort, path: Path) -> None:
    lines = sort.lines()
    sound = f"{sort.stamps()[PLACE]:%Y-%m-%d}"
    lines[PLACE] = lines[PLACE].replace(sound, "2013-02-30") if sound in lines[PLACE] else "1e99 300"
    path.write_bytes(sort.text(lines))


def clock_changes(sort: Sort, path: Path) -> None:
    year = sort.first.year
    spring, autumn = [dt.datetime(year, month, 31, tzinfo=UTC) for month in (3, 10)]
    days = [day - dt.timedelta(days=(day.weekday() + 1) % 7) for day in (spring, autumn)]
    rows = 1440 if sort.step == MINUTE else 48
    path.write_bytes(sort.text([line for day in days for line in sort.lines(day, rows)]))


def carriage_returns(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).replace(b"\n", b"\r"))


def windows_line_ends(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).replace(b"\n", b"\r\n"))


def byte_order_mark(sort: Sort, path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + sort.text(sort.lines()))


def mark_alone(sort: Sort, path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf")


def other_encoding(sort: Sort, path: Path) -> None:
    one_row(sort, path, sort.lines()[PLACE].replace(sort.value, "£1").encode("latin-1"))


def lines_twice(sort: Sort, path: Path) -> None:
    lines = sort.lines()
    path.write_bytes(sort.text([*lines[: PLACE + 1], lines[PLACE], *lines[PLACE + 1 :]]))


def control_characters(sort: Sort, path: Path) -> None:
    line = sort.lines()[PLACE]
    one_row(sort, path, line.replace(",", "\x1f,", 1) if "," in line else f"{line}\x1f")


def a_directory(sort: Sort, path: Path) -> None:
    path.mkdir()


def unreadable(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()))
    path.chmod(0)


def a_loop(sort: Sort, path: Path) -> None:
    path.symlink_to(path.name)


def a_dangling_link(sort: Sort, path: Path) -> None:
    path.symlink_to("gone.csv")


def a_pipe(sort: Sort, path: Path) -> None:
    os.mkfifo(path)


def digits_of_another_script(sort: Sort, path: Path) -> None:
    first, *others = sort.lines()
    path.write_bytes(sort.text([*others, first.replace("2,9,", "٢,٩,")]))


def a_name_of_odd_bytes(sort: Sort, path: Path) -> None:
    odd = os.fsdecode(path.stem.encode() + b"_\xff\x1b[2J" + path.suffix.encode())
    path.with_name(odd).write_bytes(sort.text(sort.lines()))
