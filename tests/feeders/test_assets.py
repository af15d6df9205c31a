"""Ratings from a file, row by row, and from the names of usual kinds."""

import polars as pl
import pytest

from loadproof.errors import ConfigError
from loadproof.feeders.assets import LIMITS, RATINGS, limits_of, read_assets

HEADER = "entity_id,fuse_a,transformer_kva,power_factor\n"


def test_a_file_gives_each_entity_its_ratings_and_blank_fields_none():
    assets = read_assets("\ufeff" + HEADER + "lcl:feeder_00,400,,0.98\r\nlcl:substation,,500,\n\n", "assets.csv")
    assert assets.bad == ()
    assert assets.ratings["lcl:feeder_00"].fuse_a == 400
    assert assets.ratings["lcl:feeder_00"].transformer_kva is None
    assert assets.ratings["lcl:substation"].transformer_kva == 500


@pytest.mark.parametrize(
    ("row", "reason", "mend"),
    [
        ("a,4x0,,", "fuse_a '4x0' is no number", "give amperes per phase, or nothing"),
        ("a,nan,,", "fuse_a nan lies outside 10 to 2000", "give amperes per phase"),
        ("a,,500000,", "transformer_kva 500000 lies outside 5 to 2500", "give kVA, not VA or MVA"),
        ("a,400,,95", "power_factor 95 lies outside 0.5 to 1", "give a ratio such as 0.95"),
        ("a,,,0.9", "there is no rating", "give at least one of fuse_a, cable_a, transformer_kva, homes"),
        (",400,,", "entity_id is empty", "say whose rating it is"),
        ("a,400", "2 fields under 4 columns", "give one a column, empty where unknown"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_line_its_reason_and_its_mend(row, reason, mend):
    assets = read_assets(HEADER + "good,400,,\n" + row + "\n", "assets.csv")
    assert set(assets.ratings) == {"good"}
    (bad,) = assets.bad
    assert (bad.line, bad.reason, bad.mend) == (3, reason, mend)


def test_an_entity_that_stands_twice_has_no_rating():
    assets = read_assets(HEADER + "a,400,,\nb,315,,\na,200,,\n", "assets.csv")
    assert set(assets.ratings) == {"b"}
    assert assets.bad[0].line == 4
    assert limits_of({"a": "feeder"}, assets=assets, usual="ground_500kva").is_empty()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("entity_id,fuse", "there is no column 'fuse'; write fuse_a, with that unit"),
        ("entity_id,transformer_mva", "write transformer_kva, with that unit"),
        ("entity_id,colour", "choose of entity_id"),
        ("fuse_a,cable_a", "wants entity_id and at least one"),
        ("entity_id,power_factor", "at least one of fuse_a"),
        ("", "wants entity_id"),
    ],
)
def test_a_header_without_units_is_refused_with_the_name_that_has_one(header, said):
    with pytest.raises(ConfigError, match="line 1: ") as error:
        read_assets(header + "\n", "assets.csv")
    assert said in str(error.value)


def test_a_file_without_one_sound_row_is_refused():
    with pytest.raises(ConfigError, match="has no sound row, the first in line 2: fuse_a"):
        read_assets(HEADER + "a,x,,\n", "assets.csv")


def test_the_file_goes_before_what_is_usual_and_a_feeder_has_no_transformer():
    assets = read_assets(HEADER + "f1,200,,\n", "mine.csv")
    levels = {"f1": "feeder", "f2": "feeder", "s": "substation"}
    limits = limits_of(levels, assets=assets, usual="ground_500kva", power_factors={"f2": 1.0})
    assert limits.schema == LIMITS
    rows = {row["entity_id"]: row for row in limits.rows(named=True)}
    assert (rows["f1"]["limit"], rows["f1"]["source"]) == ("fuse", "mine.csv")
    assert rows["f1"]["limit_kwh"] == pytest.approx(200 * 0.23 * 3 * 0.95 / 2)
    assert rows["f2"]["limit_kwh"] == pytest.approx(400 * 0.23 * 3 / 2)
    assert (rows["s"]["limit"], rows["s"]["rating_kva"]) == ("transformer", 600)
    assert rows["s"]["limit_kwh"] == pytest.approx(600 * 0.95 / 2)


def test_thirty_homes_are_designed_for_60_kva_and_a_cable_has_a_limit_of_its_own():
    assets = read_assets("entity_id,cable_a,homes\nf,335,30\n", "a.csv")
    limits = limits_of({"f": "feeder"}, assets=assets)
    assert limits["limit"].to_list() == ["cable", "design"]
    assert limits["rating_kva"].to_list() == [pytest.approx(231.15), 60]


def test_without_a_file_and_a_usual_kind_there_is_no_limit_and_an_unknown_kind_is_refused():
    assert limits_of({"f": "feeder"}).equals(pl.DataFrame(schema=LIMITS))
    with pytest.raises(ConfigError, match="there are: pole_100kva"):
        limits_of({"f": "feeder"}, usual="huge")
    assert set(RATINGS) == {
        "pole_100kva",
        "pole_200kva",
        "ground_315kva",
        "ground_500kva",
        "ground_800kva",
        "ground_1000kva",
    }
