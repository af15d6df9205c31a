"""An announced interruption is known from its announcement on, and to nobody before."""

from dataclasses import replace

import numpy as np
from tests.scenario.scenario_fixtures import of_one_night, windows

from loadproof.features.notices import Notice, Notices

DAY = np.timedelta64(1, "D")
HOUR = np.timedelta64(1, "h")


def test_nobody_knows_of_an_interruption_before_it_is_announced():
    start = np.datetime64("2013-02-03T10:00", "us")
    notices = Notices((Notice(start - 2 * DAY, start, start + 3 * HOUR),))
    origins = start - np.array([49, 48, 1]) * HOUR
    ts = np.broadcast_to(start + np.arange(-2, 8) * np.timedelta64(30, "m"), (3, 10))
    said = notices.ahead(origins, ts)[..., 0]
    assert said[0].sum() == 0
    assert said[1].tolist() == said[2].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]
    assert notices.past(ts)[0, :, 0].tolist() == said[1].tolist()
    assert not Notices().past(ts).any()


def test_notices_are_the_last_of_the_known_features_of_windows_that_have_them():
    cut = of_one_night(windows(with_weather=True)).inputs
    start = cut.t0[0] + 10 * HOUR
    told = replace(cut, notices=Notices((Notice(start - 3 * DAY, start, start + 2 * HOUR),)))
    assert told.known_names == (*cut.known_names, "planned_outage")
    assert np.flatnonzero(told.known[0, :, -1]).tolist() == [20, 21, 22, 23]
    np.testing.assert_array_equal(told.known[..., :-1], cut.known)
    assert told.past.shape[-1] == cut.past.shape[-1] + 1
    assert told.take(slice(0, 1)).notices == told.notices
