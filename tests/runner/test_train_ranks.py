"""The command under torchrun: two ranks on loopback come to the models of one process, and so they do after a kill."""

import json

import numpy as np
import pytest
import yaml
from tests.models.ranks_fixtures import torchrun
from tests.runner import killed_rank
from tests.runner.made_stores import make_store
from tests.runner.test_train import SMALL, config_of, files_of

from loadproof.model_folder import read_model
from loadproof.runner.train import train

MODELS = ("patchtst", "selfplay")


EPISODES = 13
"""So many that a checkpoint is written on the way, at the tenth."""


def train_words(root, models, *, of=MODELS):
    """The command's words for these models."""
    named = [word for model in of for word in ("--model", model)]
    return ["train", *named, "--config", root / "knobs.yaml", "--no-use-samples", "--processed-root",
            root / "processed", "--models-root", root / models]  # fmt: skip


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Both models, trained by one process and by two."""
    root = tmp_path_factory.mktemp("ranks")
    store, play = make_store(root, homes=4, days=100), SMALL["selfplay"] | {"episodes": EPISODES, "judge_episodes": 12}
    for model in MODELS:
        train(store, "lcl", model, root / "one", config=config_of(selfplay=play))
    (root / "knobs.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(SMALL | {"selfplay": play}))))
    done = torchrun("loadproof", *train_words(root, "two"), TRACK="false")
    assert done.returncode == 0, done.stderr[-3000:]
    return root / "one", root / "two", done


@pytest.mark.parametrize("model", MODELS)
def test_2_ranks_come_to_the_curve_and_the_weights_of_1_within_noise(roots, model):
    one, two, _ = roots
    curves = [json.loads((root / f"{model}.fit.json").read_text())["curve"] for root in (one, two)]
    assert len(curves[0]) == {"patchtst": 2, "selfplay": EPISODES}[model]
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


def test_a_rank_that_leads_a_game_killed_2_episodes_after_a_checkpoint_goes_on_from_there_and_the_end_is_the_same(
    roots, tmp_path
):
    _, two, _ = roots
    words = train_words(two.parent, tmp_path, of=["selfplay"])
    done = torchrun(killed_rank.__name__, tmp_path, *words, restarts=1, TRACK="false")
    assert done.returncode == 0, done.stderr[-3000:]
    marks = {start: {path.name for path in tmp_path.glob(f"start {start}, *")} for start in (0, 1)}
    assert f"start 0, rank 0, episode {killed_rank.DIES_IN}" in marks[0]
    assert f"start 0, rank 0, episode {EPISODES}" not in marks[0]
    assert marks[1] == {f"start 1, rank {rank}, episode {number}" for rank in (0, 1) for number in (11, 12, 13)}
    assert files_of(tmp_path / "selfplay") == files_of(two / "selfplay")
    for name in ("selfplay.fit.json", "selfplay.pictures.parquet"):
        assert (tmp_path / name).read_bytes() == (two / name).read_bytes()
    assert not (tmp_path / ".selfplay.checkpoints").exists()
