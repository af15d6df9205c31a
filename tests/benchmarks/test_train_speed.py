import pytest

from benchmarks import train_speed
from loadproof.seeds import rng_for

SMALL = train_speed.Shape(
    context_steps=48, horizon_steps=8, width=8, heads=2, layers=1, feedforward=8, batch=6, series=4, series_steps=400
)


@pytest.fixture
def series():
    return train_speed.make_series(SMALL, rng=rng_for(1, "test"))


def test_our_bursts_are_as_many_windows_as_they_say(series, monkeypatch):
    seen = []
    gather = train_speed.SeriesExamples.batch
    monkeypatch.setattr(
        train_speed.SeriesExamples, "batch", lambda self, at: (seen.append(len(at)), gather(self, at))[1]
    )
    side = train_speed.make_ours(series, SMALL, train_speed.Way(steps=3))
    assert side.train() == 18 and sum(seen) == 18 + 1  # and the one window that an epoch is judged on
    seen.clear()
    assert side.predict() == 18 and sum(seen) == 18


def test_a_ratio_is_of_the_same_round_and_the_median_of_ratios_not_the_ratio_of_medians():
    ours, peer = [(100.0, 50.0), (10.0, 50.0), (90.0, 50.0)], [(50.0, 25.0), (1.0, 10.0), (30.0, 50.0)]
    found = train_speed.summarise({"ours": ours, "default": peer})
    assert found["ours"] == {"windows_per_s": 90.0, "windows_per_cpu_s": 50.0}
    assert [found["default"][name] for name in ("ratio", "ratio_min", "ratio_max", "cpu_ratio")] == [
        3.0,
        2.0,
        10.0,
        2.0,
    ]


def test_sides_at_the_benchmarks_size_have_about_a_million_weights():
    side = train_speed.make_ours(
        train_speed.make_series(train_speed.Shape(series=1, series_steps=500), rng=rng_for(1, "test")),
        train_speed.Shape(series=1, series_steps=500),
        train_speed.Way(),
    )
    assert 0.95e6 < side.parameters < 1.2e6


@pytest.mark.parametrize("name", train_speed.PEERS)
def test_the_peer_in_every_form_takes_as_many_windows_a_batch_as_we_do(series, name, monkeypatch):
    pytest.importorskip("neuralforecast", reason="the bench extra is not installed")
    from neuralforecast.models import PatchTST

    form = train_speed.PEERS[name]._replace(series_a_batch=min(train_speed.PEERS[name].series_a_batch, 2))
    seen = []
    forward = PatchTST.forward
    monkeypatch.setattr(
        PatchTST, "forward", lambda self, some: (seen.append(len(some["insample_y"])), forward(self, some))[1]
    )
    side = train_speed.make_peer(series, SMALL, train_speed.Way(steps=3), form)
    assert side.train() == 18 and seen == [6, 6, 6]
    seen.clear()
    assert side.predict() == 18 and seen == [6, 6, 6]


def test_the_peer_has_our_layers():
    pytest.importorskip("neuralforecast", reason="the bench extra is not installed")
    shape = train_speed.Shape(series=1, series_steps=500)
    series = train_speed.make_series(shape, rng=rng_for(1, "test"))
    ours = train_speed.make_ours(series, shape, train_speed.Way())
    peer = train_speed.make_peer(series, shape, train_speed.Way(), train_speed.Form(series_a_batch=1))
    mask_and_mean = 16 * 64 + 48 * (42 * 64 + 1)  # what we have and the peer lacks
    assert ours.parameters - peer.parameters == mask_and_mean
