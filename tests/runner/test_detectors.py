import pytest

from loadproof.anomaly.ensemble import MEMBERS
from loadproof.config import AnomalyConfig, ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.runner.detectors import DEFAULT_DETECTOR, DETECTORS, detector_of, sections_of


def test_every_name_builds_a_detector_of_that_name():
    assert set(DETECTORS) > {DEFAULT_DETECTOR, *MEMBERS}
    assert all(build(ExperimentConfig()).name == name for name, build in DETECTORS.items())


def test_the_sections_that_decide_a_detector_are_sections_of_the_config():
    config = ExperimentConfig(anomaly=AnomalyConfig(forecaster="lightgbm"))
    assert sections_of("sub_pca", config) == {"anomaly", "features"}
    assert sections_of("ensemble", config) == {"anomaly", "features", "autoencoder", "lightgbm"}
    assert sections_of("verdict", config) == {"anomaly", "features", "selfplay", "patchtst"}
    assert all(sections_of(name, config) <= set(ExperimentConfig.model_fields) for name in DETECTORS)


def test_the_ensemble_has_its_members_in_order():
    assert tuple(member.name for member in detector_of("ensemble")(ExperimentConfig()).members) == MEMBERS


def test_the_physical_detector_has_the_fuse_of_the_config():
    config = ExperimentConfig(anomaly=AnomalyConfig(fuse_a=None, phases=3))
    detector = detector_of("physical")(config)
    assert (detector.fuse_a, detector.phases) == (None, 3)


def test_an_unknown_detector_is_told_which_there_are():
    with pytest.raises(ConfigError, match="no detector is called 'oracle'; there are: physical, seasonal_zscore"):
        detector_of("oracle")
