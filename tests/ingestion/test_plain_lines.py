import datetime as dt

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.conftest import HEADER, lcl_line

from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.plain_lines import KEY_BYTES, read_plain
from loadproof.ingestion.text import Block
from loadproof.parts import Part

NAMES = ("home", "tariff_group", "stamp", "value")
ODD = st.sampled_from(
    [" 0 ", " 0.143 ", " 12.3456789 ", " 1234567.12345678 ", " 123456789012345678 ", " .5 ", " 5. ", " . ", "  ", " ",
     "", " 1..2 ", " 1.2.3 ", " -1.5 ", " 1e3 ", " nan ", "Null", " 0.1", "0.1 ", " 0.1  ", " 00012.50 ", " 1,2 ",
     " 0.1 \r", " 12345678.1 ", " 12345678. ", " 1.23456789012345 ", " 12.34.5678901 ", ",,,,,,,,,,,,", " ,,,,,,,, "]
) | st.text(alphabet="0123456789.,:/-eN é\x00\x7f", max_size=18)  # fmt: skip
STAMPS = st.sampled_from(
    ["2012-10-12 00:30:00.0000000", "2012-10-12 00:00:00.0000000", "2012-02-29 23:30:00.0000000",
     "2013-02-29 23:30:00.0000000", "2012-13-01 00:30:00.0000000", "2012-10-00 00:30:00.0000000",
     "2012-10-32 00:30:00.0000000", "2012-10-12 24:00:00.0000000", "2012-10-12 00:60:00.0000000",
     "2012-10-12 00:30:01.0000000", "2012-10-12 00:30:00.0000001", "2012-10-12 00:17:00.0000000",
     "2012-10-12T00:30:00.0000000", "2012-10-12 00:30:00.000000 ", "2012-10-12 00:30:00", "1970-01-01 00:30:00.0000000",
     "2000-01-01 00:00:00.0000000", "2099-12-31 23:30:00.0000000", "2012-1:-12 00:30:00.0000000",
     "2012-10-12 0::30:00.0000000", "2012-10-é 00:30:00.0000000"]
)  # fmt: skip
HOMES = st.sampled_from(["MAC000002", "MAC000003", "MAC00002", "MAC00000é", " AC000002", "MAC,00002", ""])
LINES = st.builds(
    lambda home, tariff, stamp, value, end: f"{home},{tariff},{stamp},{value}{end}",
    HOMES, st.sampled_from(["Std", "ToU", "", "S,d"]), STAMPS, ODD, st.sampled_from(["\r\n", "\n"]),
)  # fmt: skip
PLAIN = [lcl_line(stamp=f"2013-01-{day:02d} {hour:02d}:30:00.0000000") for day in range(1, 4) for hour in range(24)]


def block(text, first_line=2):
    return Block(text if isinstance(text, bytes) else text.encode(), first_line, "")


def same(one, other):
    columns = sorted(one.columns)
    return one.select(columns).equals(other.select(columns), null_equal=True)


@given(
    st.lists(LINES | st.text(max_size=60).map(lambda text: text.replace("\n", "") + "\n"), max_size=20), st.booleans()
)
@example(lines=[lcl_line(value=f" {'9' * n}.{'9' * (15 - n)} ") for n in range(1, 15)], ends=True)
def test_rows_read_by_the_word_are_those_that_the_general_reader_gives(tmp_path_factory, lines, ends):
    ingestor = LCLIngestor(tmp_path_factory.getbasetemp())
    text = "".join([*PLAIN, *lines, *PLAIN]).removesuffix("" if ends else "\r\n")
    found = ingestor._candidates(block(text), NAMES)
    assert same(found, ingestor._read_any(block(text), NAMES))


@given(st.integers(0, 10**15 - 1), st.integers(0, 14), st.booleans())
def test_a_value_of_up_to_15_digits_is_the_double_that_python_reads(digits, decimals, padded):
    whole, part = divmod(digits, 10**decimals)
    value = f"{'00' * padded}{whole}" + (f".{part:0{decimals}d}" if decimals else "")
    lines = read_plain(block(lcl_line(value=f" {value} ") * 16), KEY_BYTES[NAMES])
    if len(value) <= 16:
        assert lines.plain.all()
        assert (lines.energy_kwh == float(value)).all()
    else:
        assert not lines.plain.any()


@given(st.integers(0, 100 * 365 * 48))
def test_a_stamp_of_this_century_is_the_instant_that_python_reads(half_hours):
    moment = dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + half_hours * dt.timedelta(minutes=30)
    text = lcl_line(stamp=f"{moment:%Y-%m-%d %H:%M:%S}.0000000") * 16
    lines = read_plain(block(text), KEY_BYTES[NAMES])
    assert lines.plain.all()
    assert set(lines.stamp_us.tolist()) == {int(moment.timestamp()) * 1_000_000}


def test_40_000_lines_of_two_homes_are_all_plain_and_keep_their_homes():
    text = lcl_line() * 20_000 + lcl_line(home="MAC000003") * 20_000
    lines = read_plain(block(HEADER + text, 1), KEY_BYTES[NAMES])
    assert lines.plain.all()
    assert lines.keys == [b"MAC000002,Std,", b"MAC000003,Std,"]
    assert np.bincount(lines.key).tolist() == [20_000, 20_000]


@pytest.mark.parametrize("text", ["", "\n" * 20, lcl_line() * 5, (lcl_line() + lcl_line(home="MAC000003")) * 50])
def test_blocks_too_small_or_too_mixed_are_left_to_the_general_reader(text):
    assert read_plain(block(text), KEY_BYTES[NAMES]) is None


def test_lines_without_a_tariff_are_read_by_the_word_too(tmp_path):
    text = "".join(line.replace(",Std,", ",") for line in PLAIN)
    assert read_plain(block(text), KEY_BYTES["home", "stamp", "value"]).plain.all()
    found = LCLIngestor(tmp_path)._candidates(block(text), ["home", "stamp", "value"])
    assert found["energy_kwh"].to_list() == [0.143] * len(PLAIN)


def test_odd_lines_among_plain_ones_keep_their_numbers_and_reasons(tmp_path):
    lines = list(PLAIN)
    lines[20], lines[40], lines[71] = lcl_line(value="Null"), "MAC000002,Std\r\n", lcl_line(home="MAC0002")
    path = tmp_path / "LCL-June2015v2_0.csv"
    path.write_text(HEADER + "".join(lines), newline="")
    ingestor = LCLIngestor(tmp_path)
    (batch,) = ingestor.read(Part(0, path.name, path, None, 0, ""))
    assert batch.rejected.select("line", "reason").rows() == [
        (22, "null_value"), (42, "fields_count"), (73, "entity_unknown"),
    ]  # fmt: skip
    assert batch.rows_read == len(lines)


def test_block_ends_and_starts_are_where_lines_end_and_start():
    whole = block(b"a,b\n\n1,2")
    assert (whole.starts.tolist(), whole.ends.tolist(), whole.rows) == ([0, 4, 5], [3, 4, 8], 3)
    assert (block(b"").starts.tolist(), block(b"").rows) == ([], 0)
