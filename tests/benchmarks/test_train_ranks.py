from tests.benchmarks.test_train_speed import SMALL

from benchmarks import train_ranks, train_speed
from loadproof.ranks import ALONE
from loadproof.seeds import rng_for


def test_a_way_s_ratio_is_to_one_thread_in_the_same_round_and_the_median_of_them():
    found = {
        "one thread": [(10.0, 5.0), (20.0, 5.0), (40.0, 5.0)],
        "two ranks": [(15.0, 4.0), (60.0, 6.0), (40.0, 5.0)],
    }
    told = train_ranks.summarise(
        {
            name: [{"windows_per_s": wall, "windows_per_cpu_s": cpu} for wall, cpu in rounds]
            for name, rounds in found.items()
        }
    )
    assert told["two ranks"] == {
        "windows_per_s": 40.0, "windows_per_cpu_s": 5.0, "ratio": 1.5, "ratio_min": 1.0, "ratio_max": 3.0,
    }  # fmt: skip


def test_what_is_timed_is_the_burst_after_the_first():
    side = train_speed.make_ours(
        train_speed.make_series(SMALL, rng=rng_for(1, "test")), SMALL, train_speed.Way(steps=1)
    )
    found = train_ranks.measure(side, ALONE)
    assert set(found) == {"windows_per_s", "windows_per_cpu_s"}
    assert min(found.values()) > 0
    assert {cores.ranks * cores.threads for cores in train_ranks.WAYS.values()} == {1, 2}
