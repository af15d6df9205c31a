import datetime as dt
import json
import logging
import math
import re
from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from benchmarks.made_ssen import feeder_ids, write_day, write_lookup
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loadproof.errors import SourceError
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.ingestion.ssen_lookup import NO_LOOKUP, read_lookup
from loadproof.parts import whole_extras
from loadproof.seeds import rng_for

HEADER = (
    "dataset_id,dno_name,dno_alias,secondary_substation_id,secondary_substation_name,lv_feeder_id,lv_feeder_name,"
    "substation_geo_location,aggregated_device_count_active,primary_consumption_active_import,"
    "secondary_consumption_active_import,total_consumption_active_import,aggregated_device_count_reactive,"
    "total_consumption_reactive_import,data_collection_log_timestamp,insert_time,last_modified_time"
)


def ssen_line(feeder="000200200402", stamp="2024-02-12T00:30:00.000Z", value="2331.0", *, count="15.0", primary=None,
              counted="15.0", reactive="84.0", name="DUNCRAIG ROAD", end="\n"):  # fmt: skip
    """A line in the format of 2024; an exact copy of a published one by default."""
    return (
        f'{feeder},Scottish and Southern Electricity Networks,SSEN,004,{name},02,"","",{count},'
        f'{value if primary is None else primary},"",{value},{counted},{reactive},{stamp},'
        f"2024-02-14T00:07:06.000Z,2024-03-25T12:46:46.298Z{end}"
    )


def write(folder, *lines, name="2024-02-12.csv"):
    data = b"".join(line if isinstance(line, bytes) else line.encode() for line in (f"{HEADER}\n", *lines))
    (folder / name).write_bytes(data)
    return folder


def rows(ingestor):
    """All readings and all rows set aside of all parts."""
    kept, aside = [], []
    for part in ingestor.parts():
        for batch in ingestor.read(part):
            assert batch.rows_read == batch.readings.height + batch.rejected.height
            readings = batch.readings.with_columns(extras=whole_extras(batch.readings)).drop("shared_extras")
            kept += readings.sort("line").rows(named=True)
            aside += batch.rejected.rows(named=True)
    return kept, aside


def reasons(folder):
    return [row["reason"] for row in rows(SSENIngestor(folder))[1]]


def test_2331_wh_stamped_0030_become_2_331_kwh_of_the_half_hour_from_0000(tmp_path):
    (reading,), aside = rows(SSENIngestor(write(tmp_path, ssen_line())))
    assert reading["entity_id"] == "ssen:000200200402"
    assert reading["ts_utc"] == dt.datetime(2024, 2, 12, tzinfo=dt.UTC)
    assert (reading["interval_mins"], reading["energy_kwh"]) == (30, 2.331)
    assert json.loads(reading["extras"]) == {
        "primary_substation_id": "0002",
        "hv_feeder_id": "002",
        "secondary_substation_id": "004",
        "lv_feeder_id": "02",
        "ts_convention": "end",
        "device_count": 15,
        "device_count_reactive": 15,
        "reactive_kvarh": 0.084,
    }
    assert aside == []


def test_the_format_of_2025_gives_the_same_reading_as_that_of_2024(tmp_path):
    old = rows(SSENIngestor(write(tmp_path, ssen_line())))
    line = ssen_line(value="2331", count="15", counted="15", reactive="84", stamp="2024-02-12T00:30:00Z", end="\r\n")
    (tmp_path / "2024-02-12.csv").write_bytes(f"\ufeff{HEADER}\r\n{line}".replace('""', "").encode())
    assert rows(SSENIngestor(tmp_path)) == old


def test_the_last_half_hour_of_a_day_is_stamped_with_the_next(tmp_path):
    (reading,), _ = rows(SSENIngestor(write(tmp_path, ssen_line(stamp="2024-02-13T00:00:00.000Z"))))
    assert reading["ts_utc"] == dt.datetime(2024, 2, 12, 23, 30, tzinfo=dt.UTC)


def test_two_feeders_of_one_lv_feeder_id_stay_two_entities(tmp_path):
    kept, _ = rows(SSENIngestor(write(tmp_path, ssen_line(), ssen_line("000200200502"))))
    assert {row["entity_id"] for row in kept} == {"ssen:000200200402", "ssen:000200200502"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ssen_line(value='""', count='""'), "null_value"),
        (ssen_line(value=""), "null_value"),
        (ssen_line(value="4294980500.0"), "value_sentinel"),  # 2^32 Wh and a little, as seen in 2025
        (ssen_line(value="2147483648"), "value_sentinel"),
        (ssen_line(value="-268434518.0"), "value_negative"),
        (ssen_line(value='"1,234"'), "value_unreadable"),
        (ssen_line(value="1,234"), "fields_count"),
        (ssen_line(value="inf"), "value_not_finite"),
        (ssen_line(value="nan"), "value_not_finite"),
        (ssen_line(stamp="2024-02-12T00:31:00.000Z"), "ts_off_grid"),
        (ssen_line(stamp="2024-02-12T00:30:00.001Z"), "ts_off_grid"),
        (ssen_line(stamp="2024-02-12T00:30:00+01:00"), "ts_unreadable"),
        (ssen_line(stamp="12/02/2024 00:30"), "ts_unreadable"),
        (ssen_line(stamp=""), "ts_unreadable"),
        (ssen_line(stamp="1970-01-01T00:30:00Z"), "ts_out_of_range"),
        (ssen_line(stamp="2100-01-01T00:30:00Z"), "ts_out_of_range"),
        (ssen_line(feeder="00200200402"), "entity_unknown"),  # 11 digits, but no cast leaves a leading zero
        (ssen_line(feeder="20020040"), "entity_unknown"),
        (ssen_line(feeder="000200200402A"), "entity_unknown"),
        (ssen_line(feeder=""), "entity_unknown"),
        (ssen_line(name='"NO END'), "fields_count"),
        (ssen_line(name="A,B"), "fields_count"),
        (ssen_line()[:-60] + "\n", "fields_count"),
        ("\n", "fields_count"),
        (ssen_line(name="CAF\xc9").encode("latin-1"), "text_unreadable"),
    ],
)
def test_one_bad_line_between_good_ones_is_set_aside_alone_with_its_reason(tmp_path, line, reason):
    good = ssen_line(stamp="2024-02-12T01:00:00.000Z"), ssen_line(stamp="2024-02-12T01:30:00.000Z")
    kept, (aside,) = rows(SSENIngestor(write(tmp_path, good[0], line, good[1])))
    assert [row["line"] for row in kept] == [2, 4]
    text = line if isinstance(line, str) else line.decode("utf-8", errors="backslashreplace")
    assert (aside["line"], aside["reason"], aside["raw"]) == (3, reason, text.rstrip("\n"))


@pytest.mark.parametrize("name", ['"S.I.C. HSG.,WORMADALE"', '"THE ""OLD"" MILL, NO 2"', '5" PIPE', '5" BY 6" ROAD'])
def test_names_with_commas_and_quotes_move_no_field(tmp_path, name):
    good = ssen_line(stamp="2024-02-12T01:00:00.000Z")
    kept, aside = rows(SSENIngestor(write(tmp_path, ssen_line(name=name), good)))
    assert [row["energy_kwh"] for row in kept] == [2.331, 2.331]
    assert aside == []


def test_a_line_cut_off_at_the_end_of_the_file_is_one_row_set_aside(tmp_path):
    assert reasons(write(tmp_path, ssen_line(), ssen_line(stamp="2024-02-12T01:00:00.000Z")[:120])) == ["fields_count"]


def test_an_id_of_9_digits_gets_its_zeros_back_with_a_flag_and_a_count(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (plain, padded), _ = rows(SSENIngestor(write(tmp_path, ssen_line("064070090505"), ssen_line("200200402"))))
    assert padded["entity_id"] == "ssen:000200200402"
    assert json.loads(padded["extras"])["id_padded"] is True
    assert "id_padded" not in plain["extras"]
    assert "2024-02-12.csv: 1 row(s) have a dataset_id that was padded to 12 digits" in caplog.text


def test_primary_energy_is_told_only_where_it_differs_from_the_total(tmp_path):
    lines = [ssen_line(primary="2000.0"), ssen_line("000200200403", primary="2331"), ssen_line("000200200404")]
    kept, _ = rows(SSENIngestor(write(tmp_path, *lines)))
    assert [json.loads(row["extras"]).get("primary_kwh") for row in kept] == [2, None, None]


def test_a_fact_that_is_empty_is_absent_and_one_that_is_no_quantity_is_null(tmp_path):
    lines = [ssen_line(count='""', reactive=""), ssen_line("000200200403", count="many", reactive="4294967296")]
    kept, _ = rows(SSENIngestor(write(tmp_path, *lines)))
    first, second = (json.loads(row["extras"]) for row in kept)
    assert "device_count" not in first
    assert "reactive_kvarh" not in first
    assert (second["device_count"], second["reactive_kvarh"]) == (None, None)


def test_more_than_11_5_kwh_a_device_is_kept_and_flagged(tmp_path):
    lines = [ssen_line(value="57500.0", count="5.0"), ssen_line("000200200403", value="57501.0", count="5.0")]
    kept, aside = rows(SSENIngestor(write(tmp_path, *lines)))
    assert [json.loads(row["extras"]).get("implausible_per_device") for row in kept] == [None, True]
    assert aside == []


def test_an_exact_repeat_is_kept_once_and_a_contradiction_not_at_all(tmp_path):
    other = "000200200403"
    lines = [ssen_line(), ssen_line(), ssen_line(other), ssen_line(other, value="1.0")]
    kept, aside = rows(SSENIngestor(write(tmp_path, *lines)))
    assert [row["line"] for row in kept] == [2]
    assert [(row["line"], row["reason"]) for row in aside] == [(3, "duplicate"), (4, "conflict"), (5, "conflict")]


def test_two_rows_for_0100_on_2024_10_27_are_set_aside_and_the_doubled_0130_is_flagged_not_halved(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    stamps = {"00:30": "10.0", "01:00": "11.0", "01:30": "24.0", "02:00": "12.0"}
    lines = [ssen_line(stamp=f"2024-10-27T{at}:00.000Z", value=value) for at, value in stamps.items()]
    lines.insert(2, ssen_line(stamp="2024-10-27T01:00:00.000Z", value="13.0"))
    kept, aside = rows(SSENIngestor(write(tmp_path, *lines, name="2024-10-27.csv")))
    told = {
        f"{row['ts_utc']:%H:%M}": (row["energy_kwh"], json.loads(row["extras"]).get("clock_change")) for row in kept
    }
    assert told == {"00:00": (0.01, None), "01:00": (0.024, True), "01:30": (0.012, None)}
    assert [row["reason"] for row in aside] == ["conflict", "conflict"]
    assert "2 row(s) contradict one another, first ssen:000200200402 at 2024-10-27 00:30 (line 3)" in caplog.text
    assert SSENIngestor.conflicts_are_expected


@pytest.mark.parametrize("day", ["2024-10-20", "2024-11-03", "2024-03-31", "2024-10-28"])
def test_0130_of_other_days_carries_no_flag(tmp_path, day):
    (reading,), _ = rows(SSENIngestor(write(tmp_path, ssen_line(stamp=f"{day}T01:30:00.000Z"))))
    assert "clock_change" not in reading["extras"]


def test_the_lookup_gives_the_mpan_count_and_its_absence_leaves_the_ids(tmp_path):
    (tmp_path / "LV_FEEDER_LOOKUP.csv").write_text("dataset_id,postcode,total_mpan_count\n000200200402,DD2 4RU,40\n")
    kept, _ = rows(SSENIngestor(write(tmp_path, ssen_line(), ssen_line("000200200403"))))
    assert [json.loads(row["extras"]).get("mpan_count") for row in kept] == [40, None]
    assert [json.loads(row["extras"])["lv_feeder_id"] for row in kept] == ["02", "03"]


def test_the_settings_change_with_the_lookup_so_that_a_killed_run_is_not_taken_up_with_another(tmp_path):
    write(tmp_path, ssen_line())
    ours = read_lookup(pl.DataFrame({"dataset_id": ["000200200402"], "total_mpan_count": [40]}), "ours")
    theirs = read_lookup(pl.DataFrame({"dataset_id": ["000200200402"], "total_mpan_count": [41]}), "ours")
    assert len({SSENIngestor(tmp_path, lookup=lookup).settings["lookup"] for lookup in (ours, theirs)}) == 2


def test_a_zero_byte_day_is_an_error_and_a_lone_header_is_no_row(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    assert rows(SSENIngestor(write(tmp_path))) == ([], [])
    assert "2024-02-12.csv: a header and no rows" in caplog.text
    (tmp_path / "2024-02-12.csv").write_bytes(b"")
    with pytest.raises(SourceError, match=r"2024-02-12\.csv, line 1: the file is empty; fetch it again"):
        rows(SSENIngestor(tmp_path))


def test_a_renamed_column_is_named(tmp_path):
    (tmp_path / "2024-02-12.csv").write_text(HEADER.replace("total_consumption_active", "total_active") + "\n")
    with pytest.raises(SourceError, match="line 1: the column 'total_consumption_active_import' is missing"):
        rows(SSENIngestor(tmp_path))


def test_exactly_100_000_rows_are_said_to_be_cut_off(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("loadproof.ingestion.ssen.CAPPED_ROWS", 2)
    write(tmp_path, ssen_line(), name="2024-02-12.csv")
    write(tmp_path, ssen_line(), ssen_line("000200200403"), name="2024-02-13.csv")
    rows(SSENIngestor(tmp_path))
    assert "2024-02-13.csv: exactly 2 rows, so the portal cut it off: not complete" in caplog.text
    assert "2024-02-12.csv: exactly" not in caplog.text


def test_daily_files_come_by_day_then_exports_by_the_date_in_their_name(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    export = "ssen_smart_meter_prod_lv_feeder_usage_optimized_{}.csv"
    names = [export.format("01_02_2026"), export.format("10_21_2025 (1)"), "2024-03-02.csv", "2024-02-28.csv"]
    for name in [*names, "2024-11-18_bad.csv", "ssen_sample.csv", "2024-13-45.csv"]:
        write(tmp_path, name=name)
    assert [part.name for part in SSENIngestor(tmp_path).parts()] == names[::-1]
    assert "absent in between: 2 (2024-02-29, 2024-03-01)" in caplog.text
    assert "leaves 2 CSV file(s) alone: 2024-11-18_bad.csv, 2024-13-45.csv" in caplog.text


def test_since_and_until_choose_daily_files_both_ends_included(tmp_path):
    for day in (10, 11, 12, 13):
        write(tmp_path, name=f"2024-02-{day}.csv")
    chosen = SSENIngestor(tmp_path, since=dt.date(2024, 2, 11), until=dt.date(2024, 2, 12)).parts()
    assert [part.name for part in chosen] == ["2024-02-11.csv", "2024-02-12.csv"]
    with pytest.raises(SourceError, match="none of 4 daily files lies between 2025-01-01 and the last; widen --since"):
        SSENIngestor(tmp_path, since=dt.date(2025, 1, 1)).parts()


def test_files_fetched_to_elsewhere_enter_under_the_names_they_are_given(tmp_path):
    (tmp_path / "cache").mkdir()
    path = write(tmp_path / "cache", ssen_line(), name="59af.body") / "59af.body"
    usage = {"LV_FEEDER_USAGE/2024-02-12.csv@59af-97": path}
    (part,) = SSENIngestor(tmp_path, usage=usage, lookup=NO_LOOKUP, until=dt.date(2024, 2, 12)).parts()
    assert (part.name, part.path) == ("LV_FEEDER_USAGE/2024-02-12.csv@59af-97", path)


def test_a_fetched_file_that_is_gone_is_named(tmp_path):
    ingestor = SSENIngestor(tmp_path, usage={"day": tmp_path / "gone.csv"})
    with pytest.raises(SourceError, match=r"gone\.csv \(day\): cannot be read .* fetch it again"):
        list(ingestor.read(ingestor.parts()[0]))


def test_the_sample_is_read_where_there_is_nothing_else(tmp_path):
    write(tmp_path, ssen_line(), name="ssen_sample.csv")
    assert [part.name for part in SSENIngestor(tmp_path).parts()] == ["ssen_sample.csv"]


def test_an_empty_folder_says_what_to_fetch(tmp_path):
    with pytest.raises(SourceError, match=r"no SSEN usage files .* fetch them with --source listing"):
        SSENIngestor(tmp_path).parts()


def test_raw_lines_are_those_of_the_file(tmp_path):
    ingestor = SSENIngestor(write(tmp_path, ssen_line(), ssen_line("000200200403")), block_bytes=400)
    (part,) = ingestor.parts()
    assert ingestor.raw_lines(part, [3]) == {3: ssen_line("000200200403").strip()}


def test_a_made_day_of_50_feeders_is_2400_rows_in_any_block_size(tmp_path):
    day = dt.date(2024, 3, 1)
    written = write_day(tmp_path / f"{day}.csv", day, feeders=50, rng=rng_for(1, "made"))
    assert (written, write_lookup(tmp_path / "LV_FEEDER_LOOKUP.csv", feeders=50)) == (2400, 250)
    whole = rows(SSENIngestor(tmp_path))
    assert rows(SSENIngestor(tmp_path, block_bytes=50_000)) == whole
    assert len(whole[0]) + len(whole[1]) == 2400
    assert {row["entity_id"] for row in whole[0]} == set("ssen:" + feeder_ids(50))
    assert {row["reason"] for row in whole[1]} <= {"null_value"}
    assert whole[0][0]["ts_utc"] == dt.datetime(2024, 3, 1, tzinfo=dt.UTC)


def test_the_published_heads_lose_no_row(real_data):
    kept, aside = rows(SSENIngestor(real_data))
    assert (len(kept), aside) == (40, [])
    assert kept[0]["energy_kwh"] == 2.331
    assert json.loads(kept[0]["extras"])["mpan_count"] == 40
    assert kept[-1]["entity_id"] == "ssen:068608839501"
    assert math.isclose(sum(row["energy_kwh"] for row in kept[:10]), 12.998)


NUMBERS = st.one_of(
    st.sampled_from(["", '""', "2331.0", "6640", " 7 ", "+5", "5.", "1e3", "-1.0", "-0", "inf", "nan", "NULL", "1_0",
                     '"1,0"', "2147483647.9", "2147483648", "4294980500.0", "0x1", "--1", "1.0.0"]),
    st.integers(-3, 3).map(str),
)  # fmt: skip
STAMPS = st.one_of(
    st.sampled_from(["", "2024-02-12T00:30:00.000Z", "2024-02-12T00:30:00Z", "2024-02-12 00:30:00+00:00",
                     "2024-02-12T00:30:00", "2024-02-12T00:30:60Z", "2024-02-12T24:00:00Z", "2024-02-30T00:30:00Z",
                     "2024-02-12T00:30:00.0000001Z", "2024-02-12T00:30", "2100-01-01T00:00:00Z", "1999-12-31T12:00:00Z",
                     "2000-01-01T00:00:00Z", "2024-10-27T01:00:00.000Z", "x"]),
    st.times(dt.time(0), dt.time(2)).map(lambda time: f"2024-02-12T{time:%H:%M:%S}Z"),
)  # fmt: skip
FEEDERS = st.sampled_from(["000200200402", "000200200403", "200200402", "20020040", "00200200402", "", "x", " ",
                           "000200200402 ", "0002002004022"])  # fmt: skip
NAMES = st.one_of(st.sampled_from(['"A,B"', '""', '5" PIPE', '"A ""B"", C"', '"', 'A"']),
                  st.text(alphabet='AB," é', max_size=4))  # fmt: skip
LINES = st.builds(
    ssen_line, FEEDERS, STAMPS, NUMBERS, count=NUMBERS, counted=NUMBERS, reactive=NUMBERS, primary=NUMBERS, name=NAMES
)  # fmt: skip


def split_line(line):
    """Fields by the letter of RFC 4180, a character at a time; a quote inside a bare field is a character."""
    fields, field, at, quoted = [], "", 0, False
    while at < len(line):
        mark = line[at]
        if quoted and mark == '"' and line[at + 1 : at + 2] == '"':
            field, at = field + '"', at + 1
        elif mark == '"' and (quoted or (not field and line[at - 1 : at] in ("", ","))):
            quoted = not quoted
        elif mark == "," and not quoted:
            fields, field = [*fields, field], ""
        else:
            field += mark
        at += 1
    return [*fields, field]


def number(text):
    good = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)", text.strip())
    return float(text) if good else None


def judge(line):
    """One line's verdict: its reason or None, and its key and energy in kWh."""
    fields = split_line(line)
    if len(fields) != 17:
        return "fields_count", None, None, None
    feeder, stamp, total = fields[0].strip(), fields[14].strip(), fields[11]
    if not total.strip():
        return "null_value", None, None, fields
    if re.fullmatch(r"[1-9]\d{8,10}", feeder):
        feeder = feeder.rjust(12, "0")
    if not re.fullmatch(r"\d{12}", feeder):
        return "entity_unknown", None, None, fields
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:[0-5]\d)(\.\d+)?(Z|\+00:00)?", stamp)
    try:
        ts = dt.datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00") - dt.timedelta(minutes=30)
    except (TypeError, ValueError):
        return "ts_unreadable", None, None, fields
    if not 2000 <= ts.year < 2100:
        return "ts_out_of_range", None, None, fields
    if ts.minute % 30 or ts.second or (match[3] or "").strip(".0"):
        return "ts_off_grid", None, None, fields
    value = number(total)
    if value is None:
        return "value_unreadable", None, None, fields
    if not math.isfinite(value):
        return "value_not_finite", None, None, fields
    if value < 0 or value / 1000 >= 2**31 / 1000:
        return "value_negative" if value < 0 else "value_sentinel", None, None, fields
    return None, (f"ssen:{feeder}", ts), value / 1000, fields


def twin(lines):
    """Line to reason or reading, as slowly and plainly as can be."""
    verdicts = {n: judge(line.rstrip("\r\n")) for n, line in enumerate(lines, 2)}
    same = defaultdict(list)
    for n, (reason, key, _, _) in verdicts.items():
        if reason is None:
            same[key].append(n)
    found = {n: reason for n, (reason, *_) in verdicts.items()}
    for group in same.values():
        unlike = len({verdicts[n][2] for n in group}) > 1
        found.update(dict.fromkeys(group if unlike else group[1:], "conflict" if unlike else "duplicate"))
    return found, verdicts


def fact(text, per):
    value = number(text)
    if not text.strip():
        return "absent"
    return value / per if value is not None and math.isfinite(value) and 0 <= value < 2**31 else None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=12))
@example([ssen_line(), ssen_line(name='"OPEN'), ssen_line(name='END"')])
@example([ssen_line("000200200402", "", "", count="", counted="", reactive='""', primary="", name=",,,")])
def test_every_row_is_written_or_set_aside_once_as_the_slow_twin_says(tmp_path, lines):
    kept, aside = rows(SSENIngestor(write(tmp_path, *lines), lookup=NO_LOOKUP))
    found, verdicts = twin(lines)
    assert sorted(row["line"] for row in [*kept, *aside]) == list(range(2, 2 + len(lines)))
    assert {row["line"]: row["reason"] for row in aside} == {n: why for n, why in found.items() if why}
    for row in kept:
        _, key, energy_kwh, fields = verdicts[row["line"]]
        assert ((row["entity_id"], row["ts_utc"]), row["energy_kwh"]) == (key, energy_kwh)
        extras = json.loads(row["extras"])
        for name, text, per in (("device_count", fields[8], 1), ("device_count_reactive", fields[12], 1),
                                ("reactive_kvarh", fields[13], 1000)):  # fmt: skip
            assert extras.get(name, "absent") == fact(text, per)
        differs = number(fields[9]) != number(fields[11])
        assert extras.get("primary_kwh", "absent") == (fact(fields[9], 1000) if differs else "absent")


# A bare carriage return is a matter of text.py, whose tests have it.
BINARY = st.binary(max_size=80).map(lambda data: data.translate(None, b"\0\r") + b"\n")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(LINES, BINARY), max_size=9))
def test_any_bytes_come_out_as_many_rows_as_they_have_lines(tmp_path, lines):
    folder = write(tmp_path, *lines)
    kept, aside = rows(SSENIngestor(folder, lookup=NO_LOOKUP))
    data = (folder / "2024-02-12.csv").read_bytes()
    assert sorted(row["line"] for row in [*kept, *aside]) == list(range(2, 1 + data.count(b"\n")))
    assert np.isfinite([row["energy_kwh"] for row in kept]).all()
