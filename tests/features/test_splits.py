import numpy as np
import pytest
from tests.features.panel_fixtures import START, random_panel, steps

from loadproof.errors import ConfigError
from loadproof.features.panel import Panel
from loadproof.features.splits import split_by_entity, split_by_time
from loadproof.features.windows import cut_windows


@pytest.mark.parametrize(("lag", "dropped"), [(0, 2), (2, 6)])
def test_the_windows_whose_truth_or_its_publication_crosses_a_border_are_dropped(lag, dropped):
    panel = Panel(np.array(["a"]), START, 30, np.ones((1, 40), dtype=np.float32))
    windows = cut_windows(panel, context_steps=4, horizon_steps=2, origins=steps(*range(4, 38)), data_lag_steps=lag)
    split = split_by_time(windows, valid_from=steps(10)[0], test_from=steps(20)[0])
    assert split.dropped == dropped
    assert split.train.inputs.t0.max() == steps(8 - lag)[0]
    assert split.valid.inputs.t0.min() == steps(10)[0]
    assert split.valid.inputs.t0.max() == steps(18 - lag)[0]
    assert split.test.inputs.t0.min() == steps(20)[0]
    with pytest.raises(ConfigError, match="exchange them"):
        split_by_time(windows, valid_from=steps(20)[0], test_from=steps(10)[0])


def test_a_window_whose_truth_crosses_the_end_of_the_test_block_belongs_to_none():
    panel = Panel(np.array(["a"]), START, 30, np.ones((1, 40), dtype=np.float32))
    windows = cut_windows(panel, context_steps=4, horizon_steps=2, origins=steps(*range(4, 38)), data_lag_steps=1)
    borders = {"valid_from": steps(10)[0], "test_from": steps(20)[0]}
    open_end, ended = (split_by_time(windows, **borders, **end) for end in ({}, {"test_until": steps(30)[0]}))
    assert (open_end.test.inputs.t0 == steps(*range(20, 38))).all()
    assert (ended.test.inputs.t0 == steps(*range(20, 29))).all()  # t0 of 28 is measured on 28 and 29, whatever the lag
    assert ended.dropped == open_end.dropped + 9
    assert len(ended.train) + len(ended.valid) + len(ended.test) + ended.dropped == len(windows) == 34
    with pytest.raises(ConfigError, match=r"comes after test_until .*exchange them"):
        split_by_time(windows, **borders, test_until=steps(19)[0])


def test_a_quarter_of_8_homes_are_2_unseen_ones_and_no_home_is_on_both_sides():
    panel = random_panel(np.random.default_rng(7), n_entities=8, n_days=3)
    windows = cut_windows(panel, context_steps=48, horizon_steps=48, origins=steps(48, 96))
    seen, unseen = split_by_entity(windows, share=0.25, rng=np.random.default_rng(8))
    assert len(set(unseen.inputs.entity)) == 2
    assert not set(unseen.inputs.entity) & set(seen.inputs.entity)
    assert len(seen) + len(unseen) == len(windows)
    with pytest.raises(ConfigError, match="choose one that divides"):
        split_by_entity(windows, share=0.0, rng=np.random.default_rng(8))
