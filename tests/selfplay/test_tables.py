import numpy as np
import pytest
from tests.selfplay.game_fixtures import panel, weather

from loadproof.config import ForecastConfig
from loadproof.errors import ConfigError
from loadproof.features.place import LONDON
from loadproof.selfplay.plan import FOLDS, PLAIN
from loadproof.selfplay.tables import set_table, study_folds


def test_the_plain_split_judges_the_last_quarter_and_learns_nothing_after_it():
    folds = study_folds(panel(), ForecastConfig())
    assert list(folds) == [*(f"held_{first}" for first in FOLDS), PLAIN]
    plain, last = folds[PLAIN], folds["held_2013-10-01"]
    assert plain.test == last.test
    assert plain.valid.end == plain.test.start == np.datetime64("2013-09-30T23:00")  # UK midnight
    assert plain.valid.end - plain.valid.start == np.timedelta64(28, "D")
    assert not plain.learns_after
    assert last.learns_after


def test_a_fold_that_there_is_not_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no fold 'q5'.*held_2013-10-01, chronological; halves: A, B"):
        set_table(panel(), weather(), LONDON, fold="q5", half="A", knobs=ForecastConfig(), seed=1)
