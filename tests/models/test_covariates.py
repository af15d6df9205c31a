import numpy as np

from loadproof.features.windows import KNOWN_NAMES
from loadproof.models.covariates import encode, encoded_width, fit_covariates

NAMES = (*KNOWN_NAMES, "temp_now_degc")


def features(rng, missing=0.0):
    values = rng.random((4, 6, len(NAMES))).astype(np.float32)
    values[..., 0], values[..., 1] = rng.integers(0, 48, (4, 6)), rng.integers(0, 7, (4, 6))
    values[..., -1] = rng.normal(9, 5, (4, 6))
    values[..., -1][rng.random((4, 6)) < missing] = np.nan
    return values


def test_midnight_follows_half_past_eleven_as_closely_as_1_half_hour_any_other():
    values = np.zeros((1, 48, len(NAMES)), dtype=np.float32)
    values[..., 0] = np.arange(48)
    circle = encode(fit_covariates(NAMES, values), values)[0, :, :2]
    gaps = np.linalg.norm(circle - np.roll(circle, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-4)


def test_each_weekday_has_1_flag_of_7():
    values = features(np.random.default_rng(0))
    flags = encode(fit_covariates(NAMES, values), values)[..., 4:11]
    assert (flags.sum(axis=-1) == 1).all()
    assert (flags.argmax(axis=-1) == values[..., 1]).all()


def test_weather_has_mean_0_and_spread_1_in_training_and_a_missing_value_is_0_with_its_flag():
    values = features(np.random.default_rng(1), missing=0.3)
    weather, missing = np.moveaxis(encode(fit_covariates(NAMES, values), values)[..., -2:], -1, 0)
    assert (missing == np.isnan(values[..., -1])).all()
    assert (weather[missing == 1] == 0).all()
    assert abs(weather[missing == 0].mean()) < 1e-5
    assert abs(weather[missing == 0].std() - 1) < 1e-5


def test_weather_that_training_never_saw_is_never_infinite_and_20_degrees_stay_20():
    values = features(np.random.default_rng(2), missing=1.0)
    covariates = fit_covariates(NAMES, values)
    values[..., -1] = 20
    assert (encode(covariates, values)[..., -2] == 20).all()


def test_the_time_of_year_changes_none_of_the_16_channels():
    values = features(np.random.default_rng(3))
    covariates = fit_covariates(NAMES, values)
    other = values.copy()
    other[..., KNOWN_NAMES.index("day_of_year_sin")] = 5
    assert encoded_width(covariates) == 16
    assert np.array_equal(encode(covariates, values), encode(covariates, other))
