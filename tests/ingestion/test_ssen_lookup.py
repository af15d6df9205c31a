import logging

import polars as pl
import pytest

from loadproof.errors import SourceError
from loadproof.ingestion.ssen_lookup import NO_LOOKUP, find_lookup, network_table, read_lookup
from loadproof.schema import NETWORK

HEADER = (
    "dataset_id,postcode,primary_substation_id,primary_substation_name,hv_feeder_id,hv_feeder_name,"
    "secondary_substation_id,secondary_substation_name,lv_feeder_id,lv_feeder_name,total_mpan_count\n"
)
EXPORT = "ssen_smart_meter_prod_lv_feeder_lookup_optimized_{}.csv"


def lookup_line(feeder="000200200404", postcode="DD2 4RT", *, primary="0002", name="DUNCRAIG ROAD", mpans="23"):
    return f'{feeder},{postcode},{primary},CHARLESTON,002,DUNCRAIG RD,004,{name},04,"",{mpans}\n'


def write(folder, *lines, name="LV_FEEDER_LOOKUP.csv"):
    path = folder / name
    path.write_text(HEADER + "".join(lines))
    return path


def test_three_postcodes_of_one_feeder_become_one_record_of_23_mpans(tmp_path):
    lines = [lookup_line(postcode=code) for code in ("DD2 4SB", "dd2  4rt", "DD2 4RZ", "DD2 4RT", "")]
    lookup = read_lookup(write(tmp_path, *lines))
    (record,) = lookup.feeders.rows(named=True)
    assert record["postcodes"] == ["DD2 4RT", "DD2 4RZ", "DD2 4SB"]
    assert (record["total_mpan_count"], record["lv_feeder_name"], lookup.rows) == (23, None, 5)


def test_a_name_with_comma_and_quotes_is_read_as_csv(tmp_path):
    lookup = read_lookup(write(tmp_path, lookup_line(name='"THE ""OLD"" MILL, NO 2"')))
    assert lookup.feeders["secondary_substation_name"].to_list() == ['THE "OLD" MILL, NO 2']


def test_constants_that_contradict_are_left_null_counted_and_named(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    lookup = read_lookup(write(tmp_path, lookup_line(mpans="23"), lookup_line(mpans="24"), lookup_line(mpans="")))
    assert lookup.feeders["total_mpan_count"].to_list() == [None]
    assert lookup.conflicts == {"total_mpan_count": 1}
    assert "3 rows, 1 feeders; feeders that contradict themselves: 1 in total_mpan_count; left null" in caplog.text


def test_ids_that_were_cast_to_integers_get_their_zeros_back_with_a_count(tmp_path):
    lookup = read_lookup(write(tmp_path, lookup_line("200200404", primary="2"), lookup_line("x"), lookup_line("")))
    (record,) = lookup.feeders.rows(named=True)
    assert (record["dataset_id"], record["primary_substation_id"]) == ("000200200404", "0002")
    assert (lookup.padded, lookup.left_out) == (1, 2)


def test_a_frame_of_numbers_as_a_service_gives_it_reads_like_the_file(tmp_path):
    frame = pl.DataFrame({"_id": [1], "Dataset_ID": [200200404], "postcode": ["DD2 4RT"], "total_mpan_count": [23.0],
                          "lv_feeder_id": [4]})  # fmt: skip
    (record,) = read_lookup(frame, "service").feeders.rows(named=True)
    assert (record["dataset_id"], record["lv_feeder_id"], record["total_mpan_count"]) == ("000200200404", "04", 23)


def test_equal_content_has_one_digest_whatever_the_order_of_its_rows(tmp_path):
    lines = [lookup_line(), lookup_line(postcode="DD2 4RZ"), lookup_line("000200200405")]
    one, other = read_lookup(write(tmp_path, *lines)), read_lookup(write(tmp_path, *lines[::-1]))
    assert one.digest == other.digest
    assert one.digest != read_lookup(write(tmp_path, *lines[:2])).digest


@pytest.mark.parametrize("data", [b"", b"feeder,postcode\n1,2\n", "dataset_id\n1\n".encode("utf-16")])
def test_a_lookup_that_is_none_is_an_error_with_its_file(tmp_path, data):
    (tmp_path / "LV_FEEDER_LOOKUP.csv").write_bytes(data)
    with pytest.raises(SourceError, match=r"LV_FEEDER_LOOKUP\.csv, line 1: "):
        read_lookup(tmp_path / "LV_FEEDER_LOOKUP.csv")


def test_the_full_table_comes_before_the_newest_export_and_that_before_older_ones(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    names = ["LV_FEEDER_LOOKUP.csv", EXPORT.format("01_02_2026"), EXPORT.format("10_21_2025"), "ssen_lookup_sample.csv"]
    for name in names:
        write(tmp_path, lookup_line(), name=name)
    for number, name in enumerate(names):
        assert find_lookup(tmp_path).name == name
        if number == 0:
            assert f"leaves 3 other(s) alone: {', '.join(names[1:])}" in caplog.text
        (tmp_path / name).unlink()
    assert find_lookup(tmp_path) is NO_LOOKUP
    assert "lookup: none; the ids come from dataset_id" in caplog.text


def test_a_broken_lookup_is_passed_over_with_a_warning(tmp_path, caplog):
    (tmp_path / "LV_FEEDER_LOOKUP.csv").write_bytes(b"")
    write(tmp_path, lookup_line(), name=EXPORT.format("10_21_2025"))
    assert find_lookup(tmp_path).name == EXPORT.format("10_21_2025")
    assert "lookup LV_FEEDER_LOOKUP.csv passed over" in caplog.text


def test_a_service_is_asked_only_when_no_file_can_be_read(tmp_path, caplog):
    def fetch():
        return pl.DataFrame({"dataset_id": ["000200200404"]})

    def refused():
        raise SourceError("403 from the portal; set SSEN_API_KEY")

    assert find_lookup(tmp_path, fetch).name == "fetched table"
    assert find_lookup(tmp_path, lambda: None) is NO_LOOKUP
    assert find_lookup(tmp_path, refused) is NO_LOOKUP
    assert "lookup could not be fetched: 403 from the portal" in caplog.text
    write(tmp_path, lookup_line())
    assert find_lookup(tmp_path, refused).name == "LV_FEEDER_LOOKUP.csv"


def test_exactly_100_000_rows_are_said_to_be_cut_off(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("loadproof.ingestion.ssen_lookup.CAPPED_ROWS", 2)
    assert read_lookup(write(tmp_path, lookup_line(), lookup_line(postcode="DD2 4RZ"))).capped
    assert "exactly 2 rows, so the portal cut it off: not complete" in caplog.text
    assert not read_lookup(write(tmp_path, lookup_line())).capped


def test_the_network_holds_every_feeder_of_the_lookup_and_every_one_seen(tmp_path):
    lookup = read_lookup(write(tmp_path, lookup_line()))
    table = network_table(lookup.feeders, ["ssen:640700905005", "ssen:000200200404"])
    known, derived = table.rows(named=True)
    assert table.schema == NETWORK
    assert (known["entity_id"], known["postcodes"]) == ("ssen:000200200404", ["DD2 4RT"])
    assert known["hv_feeder_name"] == "DUNCRAIG RD"
    assert derived == {**dict.fromkeys(NETWORK), "entity_id": "ssen:640700905005", "primary_substation_id": "6407",
                       "hv_feeder_id": "009", "secondary_substation_id": "050", "lv_feeder_id": "05",
                       "postcodes": []}  # fmt: skip


def test_without_lookup_and_readings_the_network_is_empty():
    assert network_table(NO_LOOKUP.feeders, []).schema == NETWORK


def test_the_published_head_is_9_rows_of_3_feeders_of_2_4_and_3_postcodes(real_data):
    lookup = read_lookup(real_data / "ssen" / "LV_FEEDER_LOOKUP.csv")
    assert (lookup.rows, lookup.conflicts) == (9, {})
    told = lookup.feeders.select("dataset_id", "total_mpan_count", pl.col("postcodes").list.len()).rows()
    assert told == [("000200200402", 40, 2), ("000200200403", 8, 4), ("000200200404", 23, 3)]
