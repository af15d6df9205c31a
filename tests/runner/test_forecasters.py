import pytest

from loadproof.baselines import BASELINES
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.forecaster import Forecaster
from loadproof.runner.forecasters import AT_ONCE, FORECASTERS, builder_of


def test_every_baseline_is_a_model_that_is_fitted_where_it_is_used():
    assert set(BASELINES) < AT_ONCE < set(FORECASTERS)


@pytest.mark.parametrize("name", FORECASTERS)
def test_each_model_goes_by_the_name_it_is_listed_under(name):
    forecaster = builder_of(name)(ExperimentConfig())
    assert isinstance(forecaster, Forecaster)
    assert forecaster.name == name


def test_every_model_that_learns_has_a_section_of_its_name_in_the_config():
    assert set(FORECASTERS) - AT_ONCE < set(ExperimentConfig.model_fields)


def test_an_unknown_model_is_refused_with_the_names_of_all():
    with pytest.raises(ConfigError, match=r"no model is called 'prophet'; there are: lightgbm, .*, statistical"):
        builder_of("prophet")
