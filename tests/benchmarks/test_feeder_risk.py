from benchmarks.feeder_risk import measure

from loadproof.seeds import rng_for


def test_five_hundred_feeders_are_ranked_and_timed():
    found = measure(500, rng=rng_for(1, "test"))
    assert found["feeders"] == 500
    assert found["risk_s"] > 0
