import logging
import zipfile

import pytest
from tests.conftest import HEADER, lcl_line

from loadproof.errors import SourceError
from loadproof.ingestion.lcl import LCLIngestor


def rows(ingestor):
    """All readings and all rows set aside of all parts."""
    kept, aside = [], []
    for part in ingestor.parts():
        for batch in ingestor.read(part):
            assert batch.rows_read == batch.readings.height + batch.rejected.height
            kept += batch.readings.sort("line").rows(named=True)
            aside += batch.rejected.rows(named=True)
    return kept, aside


def test_a_padded_value_at_0030_becomes_the_half_hour_that_starts_at_0000(lcl_root):
    (reading,), aside = rows(LCLIngestor(lcl_root([lcl_line()])))
    assert f"{reading['ts_utc']:%Y-%m-%dT%H:%M%z}" == "2013-01-01T00:00+0000"
    assert (reading["entity_id"], reading["interval_mins"], reading["energy_kwh"]) == ("lcl:MAC000002", 30, 0.143)
    assert reading["extras"] == '{"tariff_group":"Std","ts_convention":"end"}'
    assert aside == []


def test_a_part_in_capitals_is_a_part(lcl_root):
    root = lcl_root([lcl_line()])
    (part,) = (root / "lcl").iterdir()
    part.rename(part.with_name(part.name.upper()))
    (reading,), _ = rows(LCLIngestor(root))
    assert reading["entity_id"] == "lcl:MAC000002"


def test_with_the_start_convention_a_stamp_is_kept(lcl_root):
    (reading,), _ = rows(LCLIngestor(lcl_root([lcl_line()]), ts_convention="start"))
    assert f"{reading['ts_utc']:%H:%M}" == "00:30"
    assert '"ts_convention":"start"' in reading["extras"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (lcl_line(stamp="2012-12-19 12:37:27.0000000", value="Null"), "null_off_grid"),
        (lcl_line(value="Null"), "null_value"),
        (lcl_line(stamp="2012-12-19 12:37:27.0000000", value=" 0.1 "), "ts_off_grid"),
        (lcl_line(stamp="2013-01-01 00:30:00.0000001"), "ts_off_grid"),
        (lcl_line(stamp="2013-01-01 00:30:00.00 0"), "ts_unreadable"),
        (lcl_line(stamp="01/01/2013 00:30"), "ts_unreadable"),
        (lcl_line(stamp="2013-02-30 00:30:00.0000000"), "ts_unreadable"),
        (lcl_line(stamp="1970-01-01 00:30:00.0000000"), "ts_out_of_range"),
        (lcl_line(stamp="2100-01-02 00:30:00.0000000"), "ts_out_of_range"),
        (lcl_line(value=" 1.2.3 "), "value_unreadable"),
        (lcl_line(value=" 0 143 "), "value_unreadable"),
        (lcl_line(value="nan"), "value_not_finite"),
        (lcl_line(value="-inf"), "value_not_finite"),
        (lcl_line(value="-0.1"), "value_negative"),
        (lcl_line(value="4294967.3"), "value_sentinel"),
        (lcl_line(home="N0002"), "entity_unknown"),
        (lcl_line(home=""), "fields_count"),
        ("MAC000002,Std\r\n", "fields_count"),
        ("\r\n", "fields_count"),
        (lcl_line(value="1,234.5"), "fields_count"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason_line_and_raw_text(lcl_root, line, reason):
    kept, aside = rows(LCLIngestor(lcl_root([lcl_line(stamp="2013-01-01 01:00:00.0000000"), line])))
    assert len(kept) == 1
    assert [(row["line"], row["reason"], row["raw"]) for row in aside] == [(3, reason, line.rstrip("\r\n"))]


def test_the_repeated_midnight_is_kept_once(lcl_root):
    midnight = lcl_line(stamp="2013-01-20 00:00:00.0000000")
    kept, aside = rows(LCLIngestor(lcl_root([midnight, midnight, lcl_line(stamp="2013-01-20 00:30:00.0000000")])))
    assert len(kept) == 2
    assert [(row["line"], row["reason"]) for row in aside] == [(3, "duplicate")]


def test_rows_do_not_depend_on_where_blocks_are_cut(lcl_root):
    lines = [lcl_line(stamp=f"2013-01-{day:02d} {hour:02d}:30:00.0000000") for day in range(1, 9) for hour in range(24)]
    root = lcl_root(lines)
    whole, _ = rows(LCLIngestor(root))
    cut, _ = rows(LCLIngestor(root, block_bytes=700))
    assert len(whole) == 192
    assert cut == whole


def test_raw_lines_reads_single_lines_of_a_part_again(lcl_root):
    ingestor = LCLIngestor(lcl_root([lcl_line(value=f" {n} ") for n in range(50)]), block_bytes=500)
    (part,) = ingestor.parts()
    assert ingestor.raw_lines(part, [2, 51]) == {
        2: lcl_line(value=" 0 ").rstrip("\r\n"),
        51: lcl_line(value=" 49 ").rstrip("\r\n"),
    }


def zip_of(root, name="Partitioned LCL Data.zip", member="Small LCL Data/LCL-June2015v2_0.csv", text=None):
    folder = root / "lcl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, text if text is not None else HEADER + lcl_line())
    return folder / name


def test_the_archive_is_read_before_parts_single_file_and_blocks(tmp_path, caplog):
    zip_of(tmp_path)
    (tmp_path / "lcl" / "CC_LCL-FullData.csv").write_text(HEADER + lcl_line(home="MAC000003"))
    (tmp_path / "lcl" / "halfhourly_dataset").mkdir()
    (tmp_path / "lcl" / "halfhourly_dataset" / "block_0.csv").write_text(
        "LCLid,tstp,energy(kWh/hh)\nMAC000004,2013-01-01 00:30:00.0000000, 0.2 \n"
    )
    with caplog.at_level(logging.INFO):
        (reading,), _ = rows(LCLIngestor(tmp_path))
    assert reading["entity_id"] == "lcl:MAC000002"
    assert "leaves 1 file(s) of 'single' alone" in caplog.text
    assert "leaves 1 file(s) of 'kaggle' alone" in caplog.text
    assert rows(LCLIngestor(tmp_path, layout="single"))[0][0]["entity_id"] == "lcl:MAC000003"
    (block,), _ = rows(LCLIngestor(tmp_path, layout="kaggle"))
    assert (block["entity_id"], block["energy_kwh"]) == ("lcl:MAC000004", 0.2)


def test_parts_are_read_in_the_order_of_their_numbers(lcl_root):
    root = lcl_root(*[[lcl_line(home=f"MAC{n:06d}")] for n in range(12)])
    assert [part.name for part in LCLIngestor(root).parts()] == [f"LCL-June2015v2_{n}.csv" for n in range(12)]


def test_acorn_groups_come_from_the_households_table(lcl_root):
    root = lcl_root([lcl_line()])
    (root / "lcl" / "informations_households.csv").write_text(
        "LCLid,stdorToU,Acorn,Acorn_grouped,file\nMAC000002,Std,ACORN-A,Affluent,block_0\n"
    )
    (reading,), _ = rows(LCLIngestor(root))
    assert reading["extras"] == (
        '{"acorn":"ACORN-A","acorn_group":"Affluent","tariff_group":"Std","ts_convention":"end"}'
    )


def test_acorn_columns_of_the_older_release_are_read(tmp_path):
    (tmp_path / "Power-Networks-LCL-June2015(withAcornGps)v2_1.csv").write_text(
        "LCLid,stdorToU,DateTime,KWH/hh (per half hour) ,Acorn,Acorn_grouped\n"
        "MAC000002,Std,2013-01-01 00:30:00.0000000, 0.1 ,ACORN-Q,Adversity\n"
    )
    (reading,), _ = rows(LCLIngestor(tmp_path))
    assert '"acorn_group":"Adversity"' in reading["extras"]


def deflate64(path):
    """Mark the archive's only member as compressed with method 9, as the London Datastore's single file is."""
    data = bytearray(path.read_bytes())
    local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
    data[local + 8 : local + 10] = data[central + 10 : central + 12] = (9).to_bytes(2, "little")
    path.write_bytes(data)


def test_a_deflate64_archive_names_the_cause_and_the_mend(tmp_path):
    deflate64(zip_of(tmp_path, "LCL-FullData.zip", "CC_LCL-FullData.csv"))
    with pytest.raises(SourceError, match=r"LCL-FullData\.zip.*deflate64 \(method 9\).*unpack it with 'unzip'"):
        LCLIngestor(tmp_path).parts()


def test_a_deflate64_archive_beside_the_partitioned_one_is_passed_over(tmp_path):
    deflate64(zip_of(tmp_path, "LCL-FullData.zip", "CC_LCL-FullData.csv"))
    zip_of(tmp_path)
    assert [part.name for part in LCLIngestor(tmp_path).parts()] == ["Small LCL Data/LCL-June2015v2_0.csv"]


def test_an_archive_cut_short_is_refused_by_name(tmp_path):
    path = zip_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    ingestor = LCLIngestor(tmp_path)
    with pytest.raises(SourceError, match=r"not a whole ZIP archive .*fetch it again"):
        list(ingestor.read(ingestor.parts()[0]))


def test_a_damaged_member_is_refused_by_name(tmp_path):
    path = zip_of(tmp_path, text=HEADER + "".join(lcl_line(value=f" {n} ") for n in range(500)))
    data = bytearray(path.read_bytes())
    data[200:230] = bytes(30)
    path.write_bytes(data)
    ingestor = LCLIngestor(tmp_path)
    with pytest.raises(SourceError, match=r"LCL-June2015v2_0\.csv\): broken off or damaged"):
        rows(ingestor)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1: the file is empty"),
        (b"LCLid;stdorToU;DateTime;KWH/hh (per half hour) \n", "'LCLid' is missing"),
        ("LCLid,stdorToU,DateTime,KWH/hh (per half hour) \n".encode("utf-16"), "is UTF-16"),
    ],
)
def test_a_file_that_is_no_lcl_csv_is_refused(lcl_root, data, words):
    with pytest.raises(SourceError, match=words):
        rows(LCLIngestor(lcl_root(data)))


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    with pytest.raises(SourceError, match=r"put 'Partitioned LCL Data\.zip'"):
        LCLIngestor(tmp_path).parts()
