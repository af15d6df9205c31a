import pytest
from tests.evaluation.board_fixtures import config_of

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.board_plan import Only, group_size, plan_board


def test_the_whole_board_is_316_jobs_each_once_and_those_of_a_setting_lie_together():
    jobs = plan_board(ExperimentConfig())
    assert len(jobs) == len(set(jobs)) == len({job.path for job in jobs}) == 316
    settings = [job.setting for job in jobs]
    turns = [one for one, before in zip(settings, [None, *settings[:-1]], strict=True) if one != before]
    assert len(turns) == len(set(turns))


def test_only_the_plain_split_has_weather_and_lags_and_only_halves_have_groups():
    for job in plan_board(ExperimentConfig()):
        if job.setting.arm != "none" or job.setting.data_lag_steps:
            assert (job.fold, job.setting.half) == ("chronological", "all")
        assert (job.setting.half in ("A", "B")) == (
            job.fold != "chronological" and not job.setting.level.startswith("sum_")
        )


def test_filters_leave_2_jobs_of_one_model_in_one_fold_and_an_empty_choice_is_refused():
    config = config_of()
    jobs = plan_board(config, Only(models=("seasonal_naive",), levels=("home",), folds=("held_2013-02-01",)))
    assert [job.path for job in jobs] == [
        "held_2013-02-01/home-A/seasonal_naive-none-lag0",
        "held_2013-02-01/home-B/seasonal_naive-none-lag0",
    ]
    with pytest.raises(
        ConfigError, match=r"no job of models stranger; it has models .*; levels .*home.*; folds .*held_"
    ):
        plan_board(config, Only(models=("stranger",)))


def test_a_group_of_30_sums_30_homes_and_a_home_none():
    assert [group_size(level) for level in ("home", "buildingsbench", "group_30", "sum_100")] == [None, None, 30, 100]
