import numpy as np

from loadproof.anomaly.day_prints import day_prints
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel

FIRST = np.datetime64("2013-03-01", "us")


def panel_of(days=40, homes=("a", "b"), **changed):
    kwh = np.random.default_rng(1).random((len(homes), days * 48)).astype(np.float32)
    for step, value in changed.items():
        kwh[0, int(step[1:])] = value
    return Panel(np.array(homes), FIRST, 30, kwh)


def midnights(panel):
    return local_midnights(FIRST + np.timedelta64(29, "D"), panel.end)


def test_a_days_print_changes_with_its_own_readings_and_with_those_of_the_28_days_before_and_no_others():
    panel = panel_of()
    days = midnights(panel)  # the clocks go forward on the second of them
    prints = day_prints(panel, days)
    assert len(prints) == len(set(prints)) == len(days) == 12
    for day in range(40):
        other = day_prints(panel_of(**{f"s{day * 48 + 20}": 7.0}), days)
        when = FIRST + np.timedelta64(day * 24 + 10, "h")
        of_it = (days - np.timedelta64(28, "D") <= when) & (when < days + np.timedelta64(1, "D"))
        assert [one != two for one, two in zip(prints, other, strict=True)] == of_it.tolist()


def test_a_missing_reading_and_another_homes_name_are_another_print_and_more_history_is_not():
    panel = panel_of()
    days = midnights(panel)
    prints = day_prints(panel, days)
    assert day_prints(panel_of(s1900=np.nan), days)[-1] != prints[-1]
    assert not set(day_prints(panel_of(homes=("a", "c")), days)) & set(prints)
    longer = np.concatenate([np.ones((2, 24), np.float32), panel.energy_kwh], axis=1)
    assert day_prints(Panel(panel.entities, FIRST - np.timedelta64(12, "h"), 30, longer), days) == prints
