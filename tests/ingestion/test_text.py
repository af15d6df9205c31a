import io
import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.errors import SourceError
from loadproof.ingestion.text import Block, find_columns, parse_rows, raw_text, read_blocks

COLUMNS = [pl.col("a"), pl.col("b"), pl.col("_overflow").alias("more")]


def parse(data):
    return parse_rows(Block(data, 1, ""), ["a", "b"], COLUMNS).rows()


@given(st.lists(st.text(alphabet="01,é \t", max_size=12), max_size=30), st.integers(1, 40), st.booleans())
def test_blocks_of_any_size_hold_every_line_once_under_its_number(lines, block_bytes, ends):
    text = "\r\n".join(["a,b", *lines]).encode() + (b"\r\n" if ends else b"")
    longest = max(len(line) for line in text.split(b"\n")) + 1
    blocks = list(read_blocks(io.BytesIO(text), "x.csv", block_bytes=max(block_bytes, longest)))
    assert b"".join(block.data for block in blocks) == text
    assert [block.first_line for block in blocks][:1] == [1]
    for block, following in itertools.pairwise(blocks):
        assert block.data.endswith(b"\n")
        assert following.first_line == block.first_line + block.rows


@given(st.lists(st.text(alphabet='01,é "\t', max_size=12), max_size=30), st.booleans())
def test_each_line_gives_exactly_one_row_whatever_stands_in_it(lines, ends):
    text = "\n".join(["a,b", *lines]).encode() + (b"\n" if ends else b"")
    rows = parse_rows(Block(text, 1, ""), ["a", "b"], COLUMNS)
    expected = text.decode().split("\n")[1:]
    if not expected or (expected[-1] == "" and text.endswith(b"\n")):
        expected = expected[:-1]
    assert rows["line"].to_list() == list(range(2, 2 + len(expected)))
    fields = [(line.split(",") + [""] * 3)[:2] for line in expected]
    assert [(a or "", b or "") for _, a, b, _ in rows.rows()] == [tuple(pair) for pair in fields]
    assert raw_text(Block(text, 1, ""), rows["line"]) == expected


def test_short_long_blank_and_broken_lines_stay_rows():
    assert parse(b"a,b\r\n1,2\r\n\r\n3\r\n4,5,6,7\r\n") == [
        (2, "1", "2", None),
        (3, None, None, None),
        (4, "3", None, None),
        (5, "4", "5", "6"),
    ]


def test_a_line_that_is_not_utf8_costs_itself_alone():
    assert parse(b"a,b\n1,2\n\xff\xfe,2\n3,4\n") == [(2, "1", "2", None), (3, None, None, None), (4, "3", "4", None)]
    assert raw_text(Block(b"a,b\n\xff,2\n", 1, ""), [2]) == ["\\xff,2"]


def test_the_digest_of_the_last_block_is_that_of_the_file():
    blocks = list(read_blocks(io.BytesIO(b"a,b\n1,2\n"), "x.csv", block_bytes=5))
    # Source: sha256sum of the same eight bytes.
    assert blocks[-1].sha256 == "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "line 1: is UTF-16; save it as UTF-8"),
        (b"a,b\n1,2\n1,\x002\n", "line 3: holds NUL bytes"),
        (b"a,b\n" + b"1" * 200, "line 2: longer than 64 bytes"),
    ],
)
def test_text_that_is_none_is_refused_with_its_line_and_its_mend(data, words):
    with pytest.raises(SourceError, match=words):
        list(read_blocks(io.BytesIO(data), "x.csv", block_bytes=64))


def test_columns_are_found_by_spelling_without_case_padding_or_byte_order_mark():
    wanted = {"home": ("LCLid",), "value": ("KWH/hh (per half hour) ", "energy(kWh/hh)")}
    assert find_columns("\ufeffLCLID,other,energy(kWh/hh)\r\n".encode(), wanted, "x") == ["home", "_1", "value"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"LCLid;value", "column 'LCLid' is missing"),
        (b"LCLid,value,value", "column 'value' stands 2 times"),
        (b"", "column 'LCLid' is missing"),
    ],
)
def test_a_missing_or_doubled_column_is_named(header, words):
    with pytest.raises(SourceError, match=words):
        find_columns(header, {"home": ("LCLid",), "value": ("value",)}, "x.csv")
