import os
import pickle
import time
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadproof.errors import SourceError
from loadproof.ingestion.hdf5 import find_meters, open_table, parse_plain

NODE = "/building2/elec/meter20"
ACTIVE, APPARENT, VOLTAGE = ("power", "active"), ("power", "apparent"), ("voltage", "")


class Planted:
    """Runs a command wherever it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


def write_with_pandas(path, columns, *, complib="blosc", rows=1000):
    """Write as NILMTK does: one appendable table a meter, London's index, MultiIndex columns, float32."""
    index = pd.date_range("2013-06-01", periods=rows, freq="6s", tz="Europe/London", name="index")
    names = pd.MultiIndex.from_tuples(columns, names=["physical_quantity", "type"])
    values = np.arange(rows * len(columns), dtype="float32").reshape(rows, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.HDFStore(path, "w", complevel=9, complib=complib) as store:
            store.append(NODE, pd.DataFrame(values, index, names), format="table")
    return values


def all_nodes(file):
    nodes = [file]
    file.visititems(lambda _, node: nodes.append(node))
    return nodes


@pytest.mark.parametrize("complib", ["blosc", "blosc:zstd", "zlib"])
@pytest.mark.parametrize("columns", [[ACTIVE], [ACTIVE, APPARENT, VOLTAGE]])
def test_1000_rows_that_pandas_wrote_read_back_under_three_filters(tmp_path, complib, columns):
    written = write_with_pandas(tmp_path / "a.h5", columns, complib=complib)
    assert [meter[:3] for meter in find_meters(tmp_path / "a.h5")] == [(2, 20, NODE)]
    with open_table(tmp_path / "a.h5", NODE) as table:
        rows = table.read(0, table.rows)
        assert table.ts_us(rows)[[0, -1]].tolist() == [1370041200_000_000, 1370041200_000_000 + 999 * 6_000_000]
        for place, column in enumerate(columns):
            assert table.values(rows, column).tolist() == written[:, place].tolist()


def test_active_power_in_the_third_place_is_found_by_its_name(tmp_path):
    written = write_with_pandas(tmp_path / "a.h5", [VOLTAGE, APPARENT, ACTIVE])
    with open_table(tmp_path / "a.h5", NODE) as table:
        assert table.values(table.read(0, 2), ACTIVE).tolist() == written[:2, 2].tolist() == [2.0, 5.0]


def test_pickles_planted_in_every_attribute_of_root_groups_and_table_are_never_run(tmp_path):
    path, marker = tmp_path / "a.h5", tmp_path / "ran"
    write_with_pandas(path, [ACTIVE])
    spared = {"index_kind", "values_block_0_kind"}
    planted = 0
    with h5py.File(path, "a") as file:
        for node in all_nodes(file):
            for name in {*node.attrs, "metadata", "TITLE", "CLASS", "info"} - spared:
                node.attrs[name] = np.bytes_(pickle.dumps(Planted(marker), protocol=0))
                planted += 1
    assert planted > 100
    assert find_meters(path)
    with open_table(path, NODE) as table:
        assert table.values(table.read(0, 3), ACTIVE).tolist() == [0.0, 1.0, 2.0]
    assert not marker.exists()


@pytest.mark.parametrize("name", ["values_block_0_kind", "index_kind"])
def test_a_pickle_planted_in_the_two_attributes_that_are_read_is_refused_and_not_run(tmp_path, name):
    path, marker = tmp_path / "a.h5", tmp_path / "ran"
    write_with_pandas(path, [ACTIVE])
    with h5py.File(path, "a") as file:
        file[NODE]["table"].attrs[name] = np.bytes_(pickle.dumps([Planted(marker)], protocol=0))
    with pytest.raises(SourceError, match=r"meter20.*(not executed|not a time)"), open_table(path, NODE):
        pass
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_planted_pickle_is_refused_in_all_6_protocols(tmp_path, protocol):
    with pytest.raises(SourceError, match=r"opcode (STACK_)?GLOBAL at byte \d+.*not executed"):
        parse_plain(pickle.dumps(Planted(tmp_path / "ran"), protocol=protocol), "here")
    assert not (tmp_path / "ran").exists()


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(plain, st.integers(0, 5))
def test_plain_values_come_back_as_pickle_itself_would_give_them(value, protocol):
    assert parse_plain(pickle.dumps(value, protocol=protocol), "here") == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_give_a_value_or_a_source_error(pickled):
    try:
        parse_plain(pickled, "here")
    except SourceError as error:
        assert "here" in str(error)


def test_a_pickle_that_would_take_64_gigabytes_or_for_ever_takes_less_than_a_second():
    start = time.process_time()
    assert parse_plain(b"Np4294967295\n.", "here") is None  # the memo of C's unpickler would grow to that place
    doubled = b")p0\n" + b"".join(b"g%d\ng%d\n\x86p%d\n" % (n, n, n + 1) for n in range(60))
    with pytest.raises(SourceError, match="damaged pickle"):
        parse_plain(doubled + b"}g60\nNs.", "here")  # a key of 2^60 empty tuples, to be hashed one by one
    assert time.process_time() - start < 1


def test_a_node_without_its_table_is_named_with_its_mend(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_group(NODE)
    assert find_meters(path)[0].stored_bytes == 0
    with (
        pytest.raises(SourceError, match=r"a\.h5/building2/elec/meter20: has no 'table'.*fetch"),
        open_table(path, NODE),
    ):
        pass


@pytest.mark.parametrize("content", [b"", b"1370044800 260\n", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_no_hdf5_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.h5: no HDF5 file, or a damaged one .*; fetch it again$") as caught:
        find_meters(tmp_path / "a.h5")
    assert "\n" not in str(caught.value)


def test_rows_cut_off_in_the_middle_of_the_file_are_an_error_that_names_the_node(tmp_path):
    path = tmp_path / "a.h5"
    write_with_pandas(path, [ACTIVE], rows=50_000)
    with h5py.File(path) as file:
        chunk = file[NODE]["table"].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"meter20, rows 1 to 50000.*damaged"), open_table(path, NODE) as table:
        table.read(0, table.rows)


@pytest.mark.parametrize("link", ["external", "soft"])
def test_a_link_out_of_the_file_is_not_followed(tmp_path, link):
    write_with_pandas(tmp_path / "secret.h5", [ACTIVE])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group(NODE)
        target = str(tmp_path / "secret.h5")
        group["table"] = h5py.ExternalLink(target, f"{NODE}/table") if link == "external" else h5py.SoftLink("/other")
    with pytest.raises(SourceError, match="has no 'table'"), open_table(tmp_path / "a.h5", NODE):
        pass


def test_rows_in_an_external_file_and_rows_that_are_only_claimed_are_refused(tmp_path):
    dtype = np.dtype([("index", "<i8"), ("values_block_0", "<f4", (1,))])
    (tmp_path / "raw").write_bytes(bytes(1200))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group(NODE).create_dataset("table", (100,), dtype, external=[(str(tmp_path / "raw"), 0, 1200)])
        file.create_group("/building2/elec/meter1").create_dataset("table", (10**9,), dtype, chunks=(1000,))
    with pytest.raises(SourceError, match="lie in another file"), open_table(tmp_path / "a.h5", NODE):
        pass
    with pytest.raises(SourceError, match="claims 1000000000 rows"):  # noqa: SIM117  # one line each reads better
        with open_table(tmp_path / "a.h5", "/building2/elec/meter1"):
            pass


def test_two_names_for_one_column_are_refused(tmp_path):
    write_with_pandas(tmp_path / "a.h5", [ACTIVE])
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file[NODE]["table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps([ACTIVE, APPARENT], protocol=0))
    with pytest.raises(SourceError, match="values_block_0 does not fit"), open_table(tmp_path / "a.h5", NODE):
        pass
