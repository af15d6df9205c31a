from loadproof.tracker import NO_TRACKER


def test_nothing_is_recorded_by_default(tmp_path):
    with NO_TRACKER.run("train", params={}, tags={}) as run:
        run.metrics({"a": 1.0})
        run.curve([{"a": 1.0}])
        run.artifact(tmp_path)
        run.tags({})
    assert list(tmp_path.iterdir()) == []
