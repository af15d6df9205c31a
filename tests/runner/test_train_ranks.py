"""The command under torchrun: two ranks on loopback come to the models of one process."""

import json

import numpy as np
import pytest
import yaml
from tests.models.ranks_fixtures import torchrun
from tests.runner.made_stores import make_store
from tests.runner.test_train import SMALL, config_of

from loadproof.model_folder import read_model
from loadproof.runner.train import train

MODELS = ("patchtst", "selfplay")


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Both models, trained by one process and by two."""
    root = tmp_path_factory.mktemp("ranks")
    store = make_store(root, homes=4, days=100)
    for model in MODELS:
        train(store, "lcl", model, root / "one", config=config_of())
    (root / "knobs.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(SMALL))))
    words = [
        "train", "--model", "patchtst", "--model", "selfplay", "--config", root / "knobs.yaml", "--no-use-samples",
        "--processed-root", store.root, "--models-root", root / "two",
    ]  # fmt: skip
    done = torchrun("loadproof", *words, TRACK="false")
    assert done.returncode == 0, done.stderr[-3000:]
    return root / "one", root / "two", done


@pytest.mark.parametrize("model", MODELS)
def test_2_ranks_come_to_the_curve_and_the_weights_of_1_within_noise(roots, model):
    one, two, _ = roots
    curves = [json.loads((root / f"{model}.fit.json").read_text())["curve"] for root in (one, two)]
    assert len(curves[0]) == 2
    for ours, theirs in zip(*curves, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-4, abs=1e-6, nan_ok=True)
    for name, value in read_model(one / model).state.arrays.items():
        np.testing.assert_allclose(read_model(two / model).state.arrays[name], value, rtol=2e-3, atol=2e-4)


def test_the_rank_that_leads_speaks_alone_and_nothing_but_models_is_left(roots):
    _, two, done = roots
    assert done.stdout.count("patchtst: trained") == 1
    assert done.stdout.count("selfplay: trained") == 1
    assert sorted(path.name for path in two.iterdir() if path.name[0] != ".") == [
        "patchtst", "patchtst.fit.json", "selfplay", "selfplay.fit.json", "selfplay.pictures.parquet",
    ]  # fmt: skip
    assert [path for path in two.iterdir() if "checkpoints" in path.name] == []
