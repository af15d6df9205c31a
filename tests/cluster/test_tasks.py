import pickle

from tests.runner.made_stores import add_weather, make_store

from loadproof.config import ExperimentConfig
from loadproof.runner.study import study


def test_the_lots_of_a_study_are_packed_as_a_cluster_would_and_named_by_what_they_share(tmp_path):
    store, names = make_store(tmp_path, homes=4, days=110), []
    add_weather(store)

    def stowing(function, items):
        for item in items:
            _, unpacked = pickle.loads(pickle.dumps((function, item)))
            names.append(str(unpacked))
            paths = [path for _, path, _ in unpacked.tasks]
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            yield paths

    done = study(
        store, "lcl", tmp_path / "records", tmp_path / "work", config=ExperimentConfig(), budget="pilot",
        arms=("real", "full"), seeds=2, folds=("held_2013-01-01",), halves=("A", "B"), map_=stowing,
    )  # fmt: skip
    assert names == [f"seed {seed} of held_2013-01-01, half {half}" for seed in (1, 2) for half in "AB"]
    assert (done.planned, done.made) == (12, 12)
