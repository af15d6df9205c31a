from functools import partial

import pytest
from tests.cluster import tasks
from tests.runner.test_fleet import content, make_morning, run

from loadproof.cluster.engine import engine


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_morning(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def plain(made, tmp_path_factory):
    """What a plain run of the morning writes."""
    return content(run(made, tmp_path_factory.mktemp("plain")).folder)


@pytest.fixture(scope="module")
def map_(cluster):
    with engine("dask", address=cluster.address) as carried:
        yield carried


def test_workers_killed_after_a_groups_forecast_its_ranks_and_its_alerts_lose_and_double_nothing(
    made, plain, map_, tmp_path
):
    marks = {step: tmp_path / step for step in ("forecast_group", "rank_group", "tell_group")}

    def dying(function, items):
        if (folder := marks.get(function.func.__name__)) is None:
            return map_(function, items)
        items = list(items)
        folder.mkdir()
        return map_(partial(tasks.die_after, function, str(folder), str(items[0])), items)

    done = run(made, tmp_path / "out", map_=dying)
    assert [len(list(folder.iterdir())) for folder in marks.values()] == [1, 1, 1]
    assert not done.failed
    assert content(done.folder) == plain


def test_a_group_that_always_fails_is_named_the_rest_is_done_and_the_next_run_does_it_to_the_same_bytes(
    made, plain, map_, tmp_path
):
    victim = "group 1 (lcl:MAC000003 to lcl:MAC000004)"
    failed = run(made, tmp_path, map_=lambda function, items: map_(partial(tasks.fail, function, victim), items))
    (told,) = failed.failed
    assert told.startswith(f"{victim}: ") and "RuntimeError: as it was told to" in told
    assert failed.summary["forecast"] == {"ridge": 2}
    done = run(made, tmp_path, map_=map_)
    assert not done.failed
    assert content(done.folder) == plain
