"""Sound files with bytes flipped, cut, put in and lines doubled: no parser may fall over, and none may lose a row."""

import gzip
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.broken_packed import sound
from tests.hostile.good_files import SORTS

from loadproof.checking import check_readings
from loadproof.errors import LoadproofError
from loadproof.ingestion.badc import LINES_LIMIT
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.ingestion.ssen_lookup import NO_LOOKUP
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.ingestion.weather import join_weather, merge_weather, read_weather
from loadproof.runner.ingest import ingest
from loadproof.runner.weather import ingest_weather
from loadproof.schema import CANDIDATES
from loadproof.store import Store

EXAMPLES = int(os.environ.get("LOADPROOF_EXAMPLES", "25"))
ROWS = 40
TEXT = ["lcl", "ssen", "ukdale text", "ukdale csv", "weather midas", "weather kaggle"]
PACKED = ["lcl zip", "ukdale hdf5", "weather gzip"]

# What a parser might take for something else: delimiters, line ends, quotes, signs, separators, half a character.
BITS = st.one_of(
    st.sampled_from([b",", b"\n", b"\r", b"\r\n", b'"', b"\0", b" ", b"\t", b";", b"-", b"+", b"e9", b".", b"\x1f",
                     b"\xff", b"\xef\xbb\xbf", b"\xc2", b"inf", b"nan", b"NA", b"Null", b"end data\n", b"9" * 40,
                     b"\xe2\x80\xa8"]),
    st.binary(max_size=12),
)  # fmt: skip
PLACE = st.floats(0, 1, exclude_max=True)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), PLACE, st.integers(1, 255)),
        st.tuples(st.just("cut"), PLACE, st.integers(1, 300)),
        st.tuples(st.just("put"), PLACE, BITS),
        st.tuples(st.just("double"), PLACE, st.integers(1, 3)),
        st.tuples(st.just("end"), PLACE, st.just(0)),
    ),
    min_size=1,
    max_size=6,
)
thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def mutated(data, changes):
    """Return the bytes after some changes, each at a place that is a share of what is there."""
    for what, place, how in changes:
        at = int(place * len(data))
        if what == "flip" and data:
            data = data[:at] + bytes([data[at] ^ how]) + data[at + 1 :]
        elif what == "cut":
            data = data[:at] + data[at + how :]
        elif what == "put":
            data = data[:at] + how + data[at:]
        elif what == "double":
            start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at) + 1 or len(data)
            data = data[:end] + data[start:end] * how + data[end:]
        elif what == "end":
            data = data[:at]
    return data


def sound_bytes(sort, path):
    """A sound file of some rows, packed if its kind is."""
    if path.suffix in (".zip", ".h5"):
        sound(sort, path)
        return path.read_bytes()
    data = sort.text(sort.lines(rows=ROWS))
    return gzip.compress(data, mtime=0) if path.suffix == ".gz" else data


def ingestor_of(sort, root):
    if sort.source == "ssen":
        return SSENIngestor(root, lookup=NO_LOOKUP)
    return {"lcl": LCLIngestor, "ukdale": UKDALEIngestor}[sort.source](root)


def rows_of(ingestor):
    """Read all parts; return the rows, and the lines that they say they came from."""
    rows, lines = 0, []
    for part in ingestor.parts():
        for batch in ingestor.read(part):
            assert batch.rows_read == batch.readings.height + batch.rejected.height
            claimed = batch.readings.with_columns(fault=pl.lit(None, dtype=pl.String))
            again = check_readings(claimed.select(CANDIDATES.names()), ingestor.dataset)
            assert again.rejected.is_empty()
            assert batch.rejected["reason"].null_count() + batch.rejected["raw"].null_count() == 0
            rows += batch.rows_read
            lines += [*batch.readings["line"], *batch.rejected["line"]]
            ingestor.raw_lines(part, batch.rejected["line"].to_list())
    return rows, lines


def weather_of(path):
    read = read_weather(path)
    assert read.rows_read == read.table.height + read.rejected.height
    rest = join_weather(merge_weather([read, read]), [read, read], None, [])
    assert rest.table.height + rest.rejected.height == 2 * read.rows_read
    assert rest.table["ts_utc"].is_sorted() or rest.table["station_id"].n_unique() > 1


@pytest.mark.parametrize("name", [*TEXT, *PACKED])
def test_of_a_mutated_file_each_row_is_written_or_set_aside_or_1_error_says_why(name, tmp_path):
    sort = SORTS[name]
    path = tmp_path / sort.bad
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = sound_bytes(sort, path)

    @thorough
    @given(CHANGES)
    def check(changes):
        data = mutated(whole, changes)
        path.write_bytes(data)
        try:
            if sort.source == "weather":
                weather_of(path)
                return
            rows, lines = rows_of(ingestor_of(sort, tmp_path))
        except LoadproofError as error:
            # Where an archive's member has lost its name, the folder holds nothing of ours.
            assert path.name in str(error) or "no Low Carbon London files" in str(error)
            assert len(str(error)) < 1_000 and "; " in str(error)
            return
        if name in ("lcl", "ssen"):
            count = data.count(b"\n") + (not data.endswith(b"\n"))
            assert sorted(lines) == list(range(2, count + 1))
            assert rows == count - 1

    check()


@pytest.mark.parametrize("name", TEXT)
def test_a_mutated_file_goes_all_the_way_to_whole_tables_or_to_1_error(name, tmp_path_factory):
    sort = SORTS[name]

    @settings(thorough, max_examples=max(8, EXAMPLES // 5))
    @given(CHANGES, st.booleans())
    def check(changes, beside):
        folder = tmp_path_factory.mktemp("all")
        path = folder / "raw" / sort.bad
        path.parent.mkdir(parents=True)
        path.write_bytes(mutated(sound_bytes(sort, path), changes))
        if beside:
            like = SORTS["weather midas"] if sort.source == "weather" else sort
            (folder / "raw" / sort.good).write_bytes(like.text(like.lines(rows=ROWS)))
        store = Store(folder / "data" / "processed")
        try:
            if sort.source == "weather":
                report = ingest_weather(folder / "raw", store, mode="files", max_rejected_share=1)
            else:
                report = ingest(ingestor_of(sort, folder / "raw"), store, mode="files", max_rejected_share=1,
                                accept_conflicts=True)  # fmt: skip
        except LoadproofError:
            assert [file for file in Path(folder / "data").rglob("*.parquet") if ".staging" not in file.parts] == []
            return
        assert report.rows_read == report.rows_written + report.rows_rejected
        table = store.scan_weather() if sort.source == "weather" else store.scan_readings(sort.source)
        assert table.collect().height == report.rows_written

    check()


def test_the_limit_of_lines_is_far_above_a_year_of_hours():
    assert LINES_LIMIT > 100 * 366 * 24
