import numpy as np
import pytest
import torch

from loadproof.config import AutoencoderConfig
from loadproof.errors import SchemaError
from loadproof.models.autoencoder import Days, WindowAutoencoder, network_from_arrays, train_autoencoder

SMALL = AutoencoderConfig(width=32, code=4, epochs=15, batch_days=64, learning_rate=1e-2)


def days(n=800, *, seed=0, missing=0.0):
    """Days that are an evening bump of random height, and a little noise, ``(n, 48)``."""
    rng = np.random.default_rng(seed)
    bump = np.exp(-((np.arange(48) - 36) ** 2) / 18)
    deviation = (rng.normal(0, 2, (n, 1)) * bump + rng.normal(0, 0.1, (n, 48))).astype(np.float32)
    deviation[rng.random(deviation.shape) < missing] = np.nan
    return Days(deviation, np.full((n, 48), 2, np.float32))


@pytest.fixture(scope="module")
def trained():
    return train_autoencoder(days(missing=0.05), days(100, seed=1), SMALL, rng=np.random.default_rng(0))[0]


def test_days_of_the_kind_it_learned_are_written_within_a_fifth_of_their_spread(trained):
    fresh = days(200, seed=2)
    error = np.abs(fresh.deviation - trained.write(fresh).location)
    assert error.mean() < 0.2 * fresh.deviation.std()


def test_an_hour_that_is_missing_is_told_from_the_rest_of_the_day(trained):
    whole = days(200, seed=3)
    gappy = whole.deviation.copy()
    gappy[:, 35:37] = np.nan
    error = np.abs(whole.deviation - trained.write(Days(gappy, whole.usual)).location)[:, 35:37]
    assert error.mean() < 0.5 * np.abs(whole.deviation[:, 35:37]).mean()


def test_what_a_missing_step_would_have_read_changes_nothing():
    gaps = days(64, missing=0.2)
    other = Days(gaps.deviation.copy(), gaps.usual)
    networks = [train_autoencoder(d, d, SMALL.model_copy(update={"epochs": 1}), rng=np.random.default_rng(0))[0]
                for d in (gaps, other)]  # fmt: skip
    assert all(torch.equal(*pair) for pair in zip(*(n.state_dict().values() for n in networks), strict=True))
    assert all(bool(torch.isfinite(value).all()) for value in networks[0].state_dict().values())


def test_the_scale_of_a_step_is_the_same_however_odd_the_day(trained):
    plain, odd = days(5, seed=4), days(5, seed=4)
    odd.deviation[:] *= 50
    np.testing.assert_array_equal(trained.write(plain).scale, trained.write(odd).scale)


def test_a_day_is_written_the_same_alone_as_among_1000(trained):
    many = days(1000, seed=5)
    one = Days(many.deviation[777:778], many.usual[777:778])
    np.testing.assert_array_equal(trained.write(one).location[0], trained.write(many).location[777])


def test_weights_become_the_same_network_again_and_others_are_refused(trained):
    again = network_from_arrays(trained.arrays(), SMALL)
    some = days(3, seed=6)
    np.testing.assert_array_equal(again.write(some).location, trained.write(some).location)
    with pytest.raises(SchemaError, match="train it again"):
        network_from_arrays(trained.arrays(), AutoencoderConfig(width=8, code=2))
    assert isinstance(again, WindowAutoencoder)
