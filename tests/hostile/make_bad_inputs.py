"""The table of bad inputs: what each is, how it is made, and what ``loadproof ingest`` must answer to it.

Each is written beside a sound file of its source. ``docs/make_reliability.py`` runs the table for
``docs/reliability.md``; ``test_bad_inputs.py`` holds every answer against the one stated here.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.hostile import broken_beside as beside
from tests.hostile import broken_packed as packed
from tests.hostile import broken_text as text
from tests.hostile.good_files import SORTS, Sort

__all__ = ["BAD_INPUTS", "BadInput", "Gets"]


class Gets(NamedTuple):
    """What a bad input gets.

    ``says`` is a pattern of the error line, empty for exit code 0; ``aside`` counts the bad file's rows and bins by
    reason, ``kept`` those in the store (by default the others), ``extra`` those that a sound one does not have.
    ``all_out`` says that not even the sound file is in, without ``--strict``.
    """

    says: str = ""
    kept: int | None = None
    aside: Mapping[str, int] = {}
    values: Mapping[str, int] = {}
    all_out: bool = False
    extra: int = 0


class BadInput(NamedTuple):
    """One row of the table."""

    name: str
    sort: Sort
    make: Callable[[Sort, Path], None]
    gets: Gets

    @property
    def kept(self) -> int:
        """The rows of the bad file that must lie in the store."""
        if self.gets.kept is not None:
            return self.gets.kept
        lost = 0 if self.sort.source == "ukdale" else sum(self.gets.aside.values())
        return 0 if self.gets.says else self.sort.kept + self.gets.extra - lost


def broken(says: str) -> Gets:
    return Gets(says=says)


def aside(kept: int | None = None, **reasons: int) -> Gets:
    return Gets(kept=kept, aside=reasons)


def values(**reasons: int) -> Gets:
    return Gets(values=reasons)


def damaged(says: str, kept: int) -> Gets:
    """A table beside the data: its rows are in, without what it would say."""
    return Gets(says=says, kept=kept)


def all_out(says: str) -> Gets:
    return Gets(says=says, all_out=True)


TEXT = ("lcl", "ssen", "ukdale text", "ukdale csv", "weather midas", "weather kaggle")
WEATHER = TEXT[-2:]
MIDAS, KAGGLE = WEATHER
DAT = "ukdale text"
ONE = aside(fields_count=1)
TOO_LONG = broken("line (1|42|56): longer than 1048576 bytes; check")
MISSING = broken("line 1: the column '.*' is missing in '.*'; check")
LIMIT = "%\\) were set aside.* first line {}, {}: '.*; mend that file"

# What is done to a text file, what all sources answer, and which answer otherwise.
TEXTS: tuple[tuple[str, Callable[[Sort, Path], None], Gets, Mapping[str, Gets | None]], ...] = (
    ("zero bytes", text.zero_bytes, broken("line 1: the file is empty; fetch it again or remove it$"), {}),
    ("a header and no rows", text.header_only, aside(0), {
        DAT: None, KAGGLE: broken("line 1: has no rows below its header; fetch")}),
    ("cut off in a row", text.cut_in_a_row, ONE, {MIDAS: broken("line 111: ends without 'end data'.*; fetch")}),
    ("another delimiter", text.other_delimiter, MISSING, {
        DAT: broken("line 1: is not 'ts value', nor is any line; check the delimiter"),
        MIDAS: broken("line 1: is not 'Conventions,G,BADC-CSV'; take")}),
    ("UTF-16", text.utf16, broken("line 1: is UTF-16; save it as UTF-8 \\(iconv"), {}),
    ("UTF-16 without its mark", text.utf16_without_mark, broken("line 1: holds NUL bytes.*; fetch"), {}),
    ("a line of NULs", text.nuls, broken("line (41|42|56): holds NUL bytes.*; fetch"), {}),
    ("a line of 10 MB", text.long_line, ONE, dict.fromkeys(WEATHER, TOO_LONG)),
    ("a line of 10 million commas", text.long_line_of_delimiters, ONE, dict.fromkeys(WEATHER, TOO_LONG)),
    ("a header of 10 million columns", text.long_header, broken("line 1: has 100000\\d\\d columns; check"), {
        DAT: None, **dict.fromkeys(WEATHER, TOO_LONG)}),
    ("a quote that never ends", text.quote_without_end, ONE, {
        "lcl": aside(entity_unknown=1), DAT: aside(ts_unreadable=1)}),
    ("a column twice", text.doubled_column, broken("line 1: the column '.*' stands 2 times in '.*'; check"), {
        DAT: None, MIDAS: broken("line 15: the column 'air_temperature' stands twice; fetch")}),
    ("a column renamed", text.renamed_column, MISSING, {
        DAT: None, MIDAS: broken("lacks the column 'air_temperature', so .*; remove it")}),
    ("1,234.5 in one row", text.thousands_in_one_row, ONE, {DAT: aside(value_unreadable=1)}),
    ('"1,234.5" in one row', text.thousands_in_quotes, aside(value_unreadable=1), {
        "lcl": ONE, **dict.fromkeys(WEATHER, values(value_unreadable=1))}),
    ("1,234.5 in every row", text.thousands_everywhere, all_out(LIMIT.format(2, "fields_count")), {
        DAT: all_out(LIMIT.format(1, "value_unreadable")),
        MIDAS: all_out("were set aside.* first line 16, fields_count: '.*; mend"),
        KAGGLE: all_out("were set aside.* first line 2, fields_count: '.*; mend")}),
    ("inf, nan and -inf", text.inf_and_nan, aside(value_not_finite=3),
     dict.fromkeys(WEATHER, values(value_not_finite=3))),
    ("a negative value", text.negative, aside(value_negative=1), dict.fromkeys(WEATHER, values(value_out_of_range=1))),
    ("2^32", text.sentinel, aside(value_sentinel=1), {
        DAT: aside(value_above_limit=1), "ukdale csv": aside(value_above_limit=1),
        **dict.fromkeys(WEATHER, values(value_out_of_range=1))}),
    ("1.2.3 and 0x10", text.no_number, aside(value_unreadable=2), dict.fromkeys(WEATHER, values(value_unreadable=2))),
    ("rows of 1970 and 2099", text.in_1970_and_2099, aside(ts_out_of_range=1), {
        DAT: aside(ts_out_of_range=1, low_coverage=2), "ukdale csv": aside(ts_out_of_range=1, low_coverage=2)}),
    ("a stamp that is none", text.stamp_without_sense, aside(ts_unreadable=1), {}),
    ("both clock changes", text.clock_changes, aside(), {
        DAT: aside(96, low_coverage=1), "ukdale csv": aside(96, low_coverage=1)}),
    ("bare carriage returns", text.carriage_returns, broken("line 1: ends in a bare carriage return; give"), {}),
    ("CRLF", text.windows_line_ends, aside(), {}),
    ("a byte-order mark", text.byte_order_mark, aside(), {}),
    ("a byte-order mark alone", text.mark_alone, MISSING, {
        DAT: Gets(aside={"fields_count": 1}, kept=0),
        **dict.fromkeys(WEATHER, broken("line 1: the file is empty; fetch"))}),
    ("a row in Latin-1", text.other_encoding, aside(text_unreadable=1), {DAT: ONE, "ukdale csv": ONE}),
    ("a row twice", text.lines_twice, Gets(aside={"duplicate": 1}, extra=1), dict.fromkeys(
        (DAT, "ukdale csv"), aside(duplicate=1))),
    ("control characters in a row", text.control_characters, aside(entity_unknown=1), {
        DAT: aside(value_unreadable=1), "ukdale csv": aside(ts_unreadable=1), **dict.fromkeys(WEATHER, aside())}),
    ("a directory of its name", text.a_directory, broken("\\[Errno 21\\] Is a directory.*; (fetch|mend)"), {}),
    ("a link to itself", text.a_loop, broken("\\[Errno 40\\] Too many levels of symbolic links.*; (fetch|mend)"), {}),
    ("a link to nothing", text.a_dangling_link, broken("\\[Errno 2\\] No such file.*; (fetch|mend)"), {}),
    ("a pipe of its name", text.a_pipe, broken("\\[Errno 22\\] Is a pipe or a device.*; (fetch|mend)"), {}),
)  # fmt: skip

ZIP, H5, GZIP = "lcl zip", "ukdale hdf5", "weather gzip"
NO_ZIP = broken("b.zip: not a whole ZIP archive .*; fetch it again, or move it away")
NO_H5 = broken("b.h5: no HDF5 file, or a damaged one .*; fetch it again")
NO_GZIP = broken("cannot be read to its end .*; fetch it again")
SAME_METER = all_out("%\\) were set aside.* \\(48 duplicate\\), most in b.h5.*; mend that file")

# What is done to a packed file, and what each form answers.
PACKED: tuple[tuple[str, Callable[[Sort, Path], None], Mapping[str, Gets]], ...] = (
    ("a text of its name", packed.no_archive, {ZIP: NO_ZIP, H5: NO_H5, GZIP: NO_GZIP}),
    ("zero bytes", packed.zero_bytes, {ZIP: NO_ZIP, H5: NO_H5, GZIP: broken("line 1: the file is empty; fetch")}),
    ("cut off in the middle", packed.cut_in_half, {ZIP: NO_ZIP, H5: NO_H5, GZIP: NO_GZIP}),
    ("a byte flipped", packed.a_damaged_byte, {
        ZIP: broken("b.zip.*_1.csv\\): broken off or damaged .*; fetch"),
        H5: broken("meter9, rows 1 to 1440: .*damaged.*; fetch"), GZIP: NO_GZIP}),
    ("a directory of its name", packed.a_directory, {
        ZIP: NO_ZIP, H5: NO_H5, GZIP: NO_GZIP}),
    ("a link to itself", packed.a_loop, {ZIP: NO_ZIP, H5: NO_H5, GZIP: NO_GZIP}),
    ("a pipe of its name", packed.a_pipe, {ZIP: NO_ZIP, H5: NO_H5, GZIP: NO_GZIP}),
    ("a bomb of 64 MB of line ends", packed.zip_bomb, {
        ZIP: broken("would unpack from \\d+ to 67108911 bytes, more than 100 to 1.*; fetch")}),
    ("a bomb that states 4 kB", packed.zip_bomb_that_lies, {ZIP: broken("damaged \\(its checksum.*; fetch")}),
    ("members that climb out: ../../ and /tmp/", packed.zip_of_other_folders, {ZIP: aside()}),
    ("a member that is a link to /etc/passwd", packed.zip_of_a_symlink,
     {ZIP: broken("_1.csv, line 1: .*'/etc/passwd'; check")}),
    ("an encrypted member", packed.zip_encrypted, {ZIP: broken("_1.csv is encrypted; unpack it with its password")}),
    ("deflate64, beside an archive that can be read", packed.zip_deflate64, {ZIP: aside(0)}),
    ("a member of the same name in two archives", packed.zip_with_the_good_ones_name, {ZIP: aside()}),
    ("two members of one name", packed.zip_of_one_name_twice, {ZIP: broken("holds 2 members called .*; pack")}),
    ("a member of a number of 5,000 digits", packed.zip_of_5000_digits, {ZIP: aside()}),
    ("a folder of a member's name", packed.zip_of_a_folder, {ZIP: aside()}),
    ("an archive in an archive", packed.zip_in_a_zip, {ZIP: aside(0)}),
    ("a member whose name speaks to the terminal", packed.zip_of_a_name_that_speaks, {
        ZIP: broken("'b.zip/\\\\x1b\\[2J\\\\nerror: all is well/.*_1.csv': its name holds .*; rename")}),
    ("a bomb of 320 MB of NULs", packed.gzip_bomb, {GZIP: broken("more than 268435456 bytes.*; remove it")}),
    ("a bomb of 64 MB of line ends", packed.gzip_bomb_of_lines, {GZIP: broken("more than 1000000 lines.*; remove it")}),
    ("no table below a meter", packed.h5_without_its_table, {H5: broken("meter9: has no 'table' of rows; fetch")}),
    ("no meters", packed.h5_without_meters, {H5: broken("b.h5: has no /building1/elec/meter1.*; fetch")}),
    ("a pickle planted in the columns' names", packed.h5_planted_where_we_read, {
        H5: broken("meter9, attribute values_block_0_kind: .*was not executed; fetch")}),
    ("pickles planted in 18 other attributes", packed.h5_planted_everywhere_else, {H5: aside()}),
    ("voltage instead of power", packed.h5_of_voltage, {H5: broken("meter9: has no column of .*power.*; leave")}),
    ("two names for one column", packed.h5_of_two_names_for_one_column,
     {H5: broken("meter9: .*does not fit.*; fetch")}),
    ("a bomb of 96 MB of zeros", packed.h5_bomb, {H5: broken("would unpack to 100663296 bytes, .*; fetch")}),
    ("4 billion rows claimed, 1024 there", packed.h5_of_claimed_rows,
     {H5: broken("would unpack to 48000000000 .*; fetch")}),
    ("rows in an external file, /etc/passwd", packed.h5_of_rows_elsewhere, {H5: broken("lie in another file; fetch")}),
    ("inf, nan, -300 W and a stamp of -2^63", packed.h5_of_odd_values, {
        H5: aside(ts_out_of_range=1, value_negative=1, value_not_finite=2)}),
    ("the same meter in two files", packed.h5_of_the_same_meter, {H5: SAME_METER}),
)  # fmt: skip

# What lies beside the data, and what the source answers.
BESIDE: tuple[tuple[str, Callable[[Sort, Path], None], str, Gets], ...] = (
    ("households of other columns", beside.households_of_other_columns, "lcl",
     damaged("informations_households.csv: cannot be read as LCLid.*; mend the file or remove it", 96)),
    ("households with ragged rows", beside.households_that_are_ragged, "lcl",
     damaged("informations_households.csv: cannot be read as LCLid.*; mend the file or remove it", 96)),
    ("households that are a pipe", beside.households_that_are_a_pipe, "lcl",
     damaged("informations_households.csv: cannot be read .* Is a pipe.*; mend the file or remove it", 96)),
    ("a lookup of zero bytes", beside.lookup_of_zero_bytes, "ssen", aside()),
    ("a lookup of other columns", beside.lookup_of_other_columns, "ssen", aside()),
    ("labels.dat that is no text", beside.labels_of_no_text, DAT,
     damaged("labels.dat: cannot be read as UTF-8 text.*; mend the file or remove it", 48)),
    ("labels.dat that is a pipe", beside.labels_that_are_a_pipe, DAT,
     damaged("labels.dat: cannot be read as UTF-8 text .* Is a pipe.*; mend the file or remove it", 48)),
    ("labels.dat without numbers", beside.labels_without_numbers, DAT, aside()),
    ("metadata that would make objects", beside.metadata_that_would_make_objects, DAT,
     damaged("building2.yaml: is no YAML .*; mend the file or remove it", 48)),
    ("digits of another script", text.digits_of_another_script, "ukdale csv", aside(entity_unknown=1)),
    ("text after 'end data'", beside.text_after_the_end, MIDAS, broken("line 113: text after 'end data'; split")),
    ("a unit that nobody knows", beside.unit_that_nobody_knows, MIDAS,
     broken("the unit 'furlongs .*: check the header")),
    ("a station number of other digits", beside.station_of_other_digits, MIDAS, broken("no station number .*; take")),
    ("a file name of odd bytes", text.a_name_of_odd_bytes, "ukdale csv",
     broken("'ukdale_b_\\\\udcff\\\\x1b\\[2J.csv': its name holds .*; rename")),
)  # fmt: skip


def _all() -> Iterator[BadInput]:
    for name, make, usual, others in TEXTS:
        for sort in TEXT:
            gets = others.get(sort, usual)
            if gets is not None:
                yield BadInput(name, SORTS[sort], make, gets)
    for name, make, answers in PACKED:
        for sort, gets in answers.items():
            yield BadInput(name, SORTS[sort], make, gets)
    for name, make, sort, gets in BESIDE:
        yield BadInput(name, SORTS[sort], make, gets)


BAD_INPUTS = tuple(_all())
