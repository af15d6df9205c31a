import numpy as np
import pytest
from tests.anomaly.detector_fixtures import fitted, homes, small_ensemble, windows_of

from loadproof.anomaly.ensemble import EnsembleDetector, _calm_windows
from loadproof.anomaly.injection import FAULTS
from loadproof.anomaly.physical import PhysicalDetector
from loadproof.anomaly.seasonal import SeasonalZScoreDetector
from loadproof.errors import ConfigError, SchemaError


@pytest.fixture(scope="module")
def ensemble():
    return fitted("ensemble")


def test_no_weight_is_negative_and_some_are_above_0(ensemble):
    found = [weight for member in ensemble.weights().values() for weight in member.values()]
    assert min(found) >= 0
    assert max(found) > 0
    assert list(ensemble.weights()) == ["sub_pca", "physical", "seasonal_zscore"]


def test_without_a_kind_the_weights_are_those_of_an_ensemble_that_never_met_it():
    windows = windows_of(homes(6, 36, seed=9))
    one = fitted("ensemble", windows)
    kinds = {kind: FAULTS[kind] for kind in ("meter_dropout", "unit_slip", "reversed_ct")}
    never = EnsembleDetector(small_ensemble().members, faults={k: v for k, v in kinds.items() if k != "reversed_ct"})
    assert one.without("reversed_ct").weights() != one.weights()
    never.fit(windows, windows.take(slice(0, 0)), rng=np.random.default_rng(7))
    for member, weights in never.weights().items():
        assert one.without("reversed_ct").weights()[member] == pytest.approx(weights)


def test_left_out_kinds_are_kept_by_the_state(ensemble):
    again = small_ensemble()
    again.restore(ensemble.without("unit_slip").state())
    assert again.weights() == ensemble.without("unit_slip").weights()


def test_a_change_that_is_no_fault_leaves_the_weights_of_all(ensemble):
    assert ensemble.without("ev").weights() == ensemble.weights()


def test_it_takes_a_reading_for_what_its_loudest_member_does(ensemble):
    windows = windows_of(homes(1, 29, seed=5))
    truth = windows.truth_kwh.copy()
    truth[0, 30] = -1
    windows = type(windows)(windows.inputs, truth)
    scores = ensemble.score(windows)
    assert scores.kinds[scores.kind[0, 30]] in ("limit", "dropout")
    assert scores.score[0, 30] == scores.score.max()


def test_members_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="different names"):
        EnsembleDetector([PhysicalDetector(), PhysicalDetector()])


def test_days_too_few_for_any_fault_are_refused():
    windows = windows_of(homes(2, 29))
    alone = EnsembleDetector([SeasonalZScoreDetector()], faults={"theft": FAULTS["theft"]})
    with pytest.raises(ConfigError, match="more days of validation"):
        alone.fit(windows, windows, rng=np.random.default_rng(0))


def test_of_ten_homes_the_loudest_is_not_taken_for_clean_and_of_three_none_is_left_out():
    views = np.zeros((30, 48, 8), np.float32)  # ten homes of three days, two members
    views[12:15, 3, 5] = 2  # the fifth home is far beyond by its second member
    views[:, 5, 4] = 9  # a surprise itself is not what counts
    calm = _calm_windows(views, np.repeat([f"h{n}" for n in range(10)], 3))
    assert np.flatnonzero(~calm).tolist() == [12, 13, 14]
    assert _calm_windows(views[:9], np.repeat(["a", "b", "c"], 3)).all()


def test_the_state_of_the_same_members_in_another_order_is_refused(ensemble):
    other = EnsembleDetector(ensemble.members[::-1], faults=ensemble.faults)
    with pytest.raises(SchemaError, match="not of these members; train ensemble again"):
        other.restore(ensemble.state())
