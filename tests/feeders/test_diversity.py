import numpy as np
import polars as pl
import pytest

from loadproof.errors import ConfigError
from loadproof.feeders.diversity import ADMD, fit_diversity, measure_diversity
from loadproof.seeds import rng_for


def test_homes_that_peak_at_different_times_share_their_peaks():
    kwh = np.eye(10, dtype=np.float32)  # each home uses 1 kWh in a half hour of its own
    found = measure_diversity(kwh, sizes=(1, 2, 10, 11), draws=20, rng=rng_for(1, "t"))
    assert found.schema == ADMD
    assert found["homes"].to_list() == [1, 2, 10]
    assert found["admd_kw"].to_list() == pytest.approx([2.0, 1.0, 0.2])
    assert found["groups"].to_list() == [20, 20, 1]
    assert found["low_kw"].to_list()[-1] is None  # one group of all has no band


def test_homes_that_peak_together_share_nothing():
    kwh = np.tile(np.float32([0.1, 0.75]), (8, 1))
    assert measure_diversity(kwh, sizes=(1, 8), rng=rng_for(1, "t"))["admd_kw"].to_list() == pytest.approx([1.5, 1.5])


def test_a_half_hour_that_too_few_report_is_no_peak():
    kwh = np.full((10, 3), 0.5, dtype=np.float32)
    kwh[0, 1], kwh[1:, 1] = 9, np.nan
    assert measure_diversity(kwh, sizes=(10,), rng=rng_for(1, "t"))["admd_kw"].to_list() == [1.0]
    with pytest.raises(ConfigError, match="nine of ten"):
        measure_diversity(np.full((3, 3), np.nan, dtype=np.float32), rng=rng_for(1, "t"))


def test_the_form_that_a_curve_was_made_of_is_found_again():
    sizes = [1, 2, 5, 10, 50]
    curve = pl.DataFrame({"homes": sizes, "admd_kw": [1.5 * (1 + 4 / n) for n in sizes]})
    assert fit_diversity(curve) == pytest.approx((1.5, 4))
    with pytest.raises(ConfigError, match="make no curve"):
        fit_diversity(curve.head(1))
