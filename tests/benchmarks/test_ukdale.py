import numpy as np
from benchmarks.ukdale import make_meter

from loadproof.ingestion.ukdale import UKDALEIngestor


def test_a_made_meter_of_7200_samples_is_a_sound_card_of_two_hours(tmp_path):
    (tmp_path / "ukdale").mkdir()
    make_meter(tmp_path / "ukdale" / "ukdale.h5", 7200, rng=np.random.default_rng(1))
    ingestor = UKDALEIngestor(tmp_path, min_coverage=0.01)
    (part,) = ingestor.parts()
    batches = list(ingestor.read(part))
    assert sum(batch.readings.height for batch in batches) == 5  # two hours from 19:12:43 touch five half hours
    assert {name for batch in batches for name in batch.readings["entity_id"]} == {"ukdale:house_1"}
