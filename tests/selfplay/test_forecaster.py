"""Self-play as a forecaster: bit for bit the same for the same chance, kept and restored."""

import numpy as np
import pytest
from tests.selfplay.game_fixtures import KNOBS, NETWORK, split

from loadproof.runner.forecasters import FORECASTERS
from loadproof.scenario.kinds import PROPOSED
from loadproof.selfplay.forecaster import SelfPlayForecaster
from loadproof.selfplay.verifier import CONSTRAINTS


def test_the_same_chance_gives_the_same_forecasts_and_a_restored_one_says_the_same():
    blocks = split()
    first, second = (SelfPlayForecaster(KNOBS, NETWORK) for _ in range(2))
    report = first.fit(blocks.train, blocks.valid, rng=np.random.default_rng(1))
    second.fit(blocks.train, blocks.valid, rng=np.random.default_rng(1))
    said = first.predict(blocks.test.inputs)
    np.testing.assert_array_equal(said.quantiles_kwh, second.predict(blocks.test.inputs).quantiles_kwh)
    third = SelfPlayForecaster(KNOBS, NETWORK)
    third.restore(first.state())
    np.testing.assert_array_equal(said.quantiles_kwh, third.predict(blocks.test.inputs).quantiles_kwh)
    assert [record["episode"] for record in report.records] == [1, 2, 3, 4]
    assert {"loss", "penalty_gradient", "evenness", "real_share"} <= set(report.records[0])
    assert "clean_loss" in report.records[-1]
    for record in report.records:
        assert all(isinstance(value, float) for value in record.values())  # as a tracker's curves want it
        share, parts = (
            [record[name] for name in record if name.startswith(of)] for of in ("share/", "penalty_by_constraint/")
        )
        assert sum(share) == 1
        assert {value * KNOBS.scenarios % 1 for value in share} == {0}
        assert sum(parts) == pytest.approx(record["penalty"])
    ours = {name for name in report.records[0] if not name.startswith("reward/")}
    assert {f"share/{kind}" for kind in PROPOSED} | {f"penalty_by_constraint/{name}" for name in CONSTRAINTS} <= ours
    assert all(ours <= set(record) for record in report.records)  # also where a kind was not proposed


def test_it_is_registered_under_its_own_name():
    assert "selfplay" in FORECASTERS
    assert SelfPlayForecaster.name == "selfplay"
