"""Pickles that hold values and no code."""

import pickle
import pickletools

from hypothesis import given
from hypothesis import strategies as st

from loadproof.ingestion.hdf5 import parse_plain
from loadproof.samples.plain_pickle import plain_pickle

scalars = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)
HARMLESS = {"UNICODE", "INT", "FLOAT", "LIST", "TUPLE", "DICT", "MARK", "APPEND", "SETITEM", "STOP"}


@given(values)
def test_any_plain_value_comes_back_as_it_was_and_no_opcode_of_it_can_run_code(value):
    pickled = plain_pickle(value)
    assert {opcode.name for opcode, _, _ in pickletools.genops(pickled)} <= HARMLESS
    back = pickle.loads(pickled)
    assert (back, repr(back)) == (value, repr(value))  # 1 and True are equal and print differently


@given(values)
def test_the_house_s_own_reader_of_plain_pickles_agrees(value):
    assert parse_plain(plain_pickle(value), "here") == value


def test_the_names_of_two_columns_take_these_47_bytes():
    pickled = plain_pickle([("power", "active"), ("voltage", "")])
    assert pickled == b"(l(Vpower\nVactive\nta(Vvoltage\nV\nta."
