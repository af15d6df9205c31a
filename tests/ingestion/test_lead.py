import datetime as dt
import os
from pathlib import Path

import pytest

from loadproof.errors import SourceError
from loadproof.ingestion.lead import read_lead

NIGHT = dt.datetime(2016, 1, 1)  # noqa: DTZ001 - the building's own clock
HEAD = "timestamp,building_id,meter_reading,anomaly\n"


def test_columns_in_either_order_and_an_empty_reading_are_read(tmp_path):
    (tmp_path / "a.csv").write_text(HEAD + "2016-01-01 01:00:00,118,,0\n2016-01-01 00:00:00,118,117.2,1\n")
    (tmp_path / "b.csv").write_text("building_id,timestamp,meter_reading,anomaly\n7,2016-01-01 00:00:00,3,0\n")
    found = read_lead(tmp_path)
    assert found.frame.rows() == [
        (7, NIGHT, 3.0, False),
        (118, NIGHT, 117.2, True),
        (118, NIGHT + dt.timedelta(hours=1), None, False),
    ]
    assert len(found.sha256) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "is no file of LEAD"),
        (HEAD + "yesterday,118,1,0\n", "is no file of LEAD"),
        (HEAD + "2016-01-01 00:00:00,118,1,0\n" * 2, "there twice"),
    ],
)
def test_a_file_of_another_kind_or_with_repeats_is_refused(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SourceError, match=said):
        read_lead(tmp_path)


def test_a_folder_without_a_file_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no CSV"):
        read_lead(tmp_path)


@pytest.mark.skipif("LOADPROOF_REAL_DATA" not in os.environ, reason="LEAD's files are no part of the repository")
def test_the_4_buildings_hold_730_odd_hours():
    frame = read_lead(Path(os.environ["LOADPROOF_REAL_DATA"]) / "lead").frame
    assert frame["building_id"].n_unique() == 4
    assert frame["odd"].sum() == 730
