import contextlib
import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from loadproof import __version__
from loadproof.errors import SchemaError
from loadproof.forecaster import ModelState
from loadproof.model_folder import ModelFacts, StoredModel, read_facts, read_model, require_match, write_model

FACTS = ModelFacts(
    model="ridge",
    dataset="lcl",
    mode="samples",
    interval_mins=30,
    known_names=("local_half_hour", "local_weekday"),
    context_steps=672,
    horizon_steps=48,
    data_lag_steps=0,
    seed=2013,
    data_sha256="ab" * 32,
    trained_until="2013-10-01",
    settings={"ridge": {"penalties": [0.1, 1.0]}},
)
STATE = ModelState(
    {"penalty": 1.0, "names": ["a", "b"]},
    {"weights": np.arange(6, dtype=np.float32).reshape(2, 3).T, "count": np.array(7), "used": np.array([True, False])},
    {"level_0.5": "tree\nleaf\n"},
)
STORED = StoredModel(FACTS, STATE, ModelState({"kind": "static"}, {"shift": np.zeros(3)}, {}))


@pytest.fixture
def folder(tmp_path):
    write_model(tmp_path / "ridge", STORED)
    return tmp_path / "ridge"


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def put_config(folder, config):
    (folder / "config.json").write_text(json.dumps(config))


def put_file(folder, name, data):
    """Replace a file and say so in the config, as one who means harm would."""
    (folder / name).write_bytes(data)
    config = config_of(folder)
    config["files"][name] = hashlib.sha256(data).hexdigest()
    put_config(folder, config)


def test_3_arrays_2_knobs_and_1_text_come_back_as_they_were(folder):
    facts, state, calibration = read_model(folder)
    assert (facts, state.knobs, state.texts) == (FACTS, STATE.knobs, STATE.texts)
    assert list(state.arrays) == ["count", "used", "weights"] or set(state.arrays) == set(STATE.arrays)
    for name, array in STATE.arrays.items():
        assert (state.arrays[name].dtype, state.arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(state.arrays[name], array)
    assert calibration.knobs == {"kind": "static"}
    assert read_facts(folder) == FACTS


def test_a_model_without_calibration_has_none_and_2_files_less(tmp_path):
    write_model(tmp_path / "bare", StoredModel(FACTS, ModelState({}, {}, {})))
    assert read_model(tmp_path / "bare").calibration is None
    assert sorted(path.name for path in (tmp_path / "bare").iterdir()) == ["arrays.safetensors", "config.json"]


def test_the_same_model_gives_the_same_bytes_and_the_folder_holds_4_files(folder):
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_model(folder, STORED)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert set(first) == {"arrays.safetensors", "calibration.safetensors", "config.json", "model-level_0.5.txt"}
    assert [path.name for path in folder.parent.iterdir()] == ["ridge"]


def test_what_is_no_number_is_refused_before_anything_is_written(tmp_path):
    state = ModelState({}, {"names": np.array(["a"])}, {})
    with pytest.raises(SchemaError, match="array names of model holds <U1; put what is no number into knobs"):
        write_model(tmp_path / "m", StoredModel(FACTS, state))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "x" * 101, "a\0b"])
def test_a_text_whose_name_is_a_path_is_neither_written_nor_read(tmp_path, folder, name):
    with pytest.raises(SchemaError, match="is no name of a text"):
        write_model(tmp_path / "m", StoredModel(FACTS, ModelState({}, {}, {name: "x"})))
    config = config_of(folder)
    config["parts"]["model"]["texts"] = [name]
    put_config(folder, config)
    with pytest.raises(SchemaError, match="is no name of a text"):
        read_model(folder)


def test_a_folder_that_is_not_there_says_to_train(tmp_path):
    assert read_facts(tmp_path / "none") is None
    with pytest.raises(SchemaError, match="holds no model; run 'loadproof train' first"):
        read_model(tmp_path / "none")


TEXTS = {
    "{": "is no model's config",
    "[]": "is no model's config",
    "{}": "config .KeyError",
    "[" * 100_000: "no model's",
}


@pytest.mark.parametrize("text", TEXTS, ids=["cut short", "a list", "nothing", "deep"])
def test_each_of_4_texts_that_are_no_config_is_refused_with_the_mend(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(SchemaError, match=f"{TEXTS[text]}.*; train the model again$"):
        read_model(folder)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("facts.loadproof_version", "0.0.0", f"by loadproof 0.0.0, this is {__version__}; train the model again with"),
        ("facts.loadproof_version", {"a": 1}, "was written by loadproof .'a': 1., this is"),
        ("facts.levels", [0.1, 0.9], r"forecasts the levels \[0.1, 0.9\], this version .*; train the model again$"),
        ("facts.interval_mins", 0, "facts.interval_mins: Input should be .* 1; train the model again$"),
        ("facts.known_names", None, "facts.known_names: Input should be .*; train the model again$"),
        ("facts.trained_until", "soon", "facts.trained_until: .*isoformat.*; train the model again$"),
        ("facts.owner", "me", "facts.owner: Extra inputs are not permitted; train the model again$"),
        ("parts.evil", {"knobs": {}, "texts": []}, "has or lacks the part evil; train the model again$"),
        ("parts", {}, "has or lacks the part model; train the model again$"),
        ("parts.model.texts", ["gone"], "model-gone.txt: is missing or no plain file; train the model again"),
        ("parts.model.knobs", [], "parts.model.knobs: Input should be .*; train the model again$"),
        ("files", {}, "arrays.safetensors: is not the file that config.json speaks of; train the model again$"),
    ],
)
def test_each_of_12_odd_configs_is_refused_with_the_mend(folder, where, value, message):
    config = config_of(folder)
    *path, last = where.split(".")
    inner = config
    for step in path:
        inner = inner[step]
    inner[last] = value
    put_config(folder, config)
    with pytest.raises(SchemaError, match=message) as told:
        read_model(folder)
    assert "\n" not in str(told.value)


def test_arrays_larger_than_any_models_are_refused_unread(folder):
    with (folder / "arrays.safetensors").open("r+b") as file:
        file.truncate(2**40)  # a sparse file: it takes no room on disk, and would take all memory
    with pytest.raises(SchemaError, match=r"arrays\.safetensors: is larger than any model's; train the model again"):
        read_model(folder)


def test_arrays_cut_short_are_noticed_even_where_the_digest_agrees(folder):
    whole = (folder / "arrays.safetensors").read_bytes()
    (folder / "arrays.safetensors").write_bytes(whole[:-3])
    with pytest.raises(SchemaError, match="is not the file that"):
        read_model(folder)
    for data in (whole[:-3], whole[:20], b"", b"\xff" * 64, pickle.dumps({"a": 1})):
        put_file(folder, "arrays.safetensors", data)
        with pytest.raises(SchemaError, match=r"cannot be read \(SafetensorError.*; train the model again"):
            read_model(folder)


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch exploded",))


def test_a_pickle_in_the_place_of_any_file_is_never_executed(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("arrays.safetensors", "calibration.safetensors"):
        put_file(folder, name, pickle.dumps(Bomb()))
        with pytest.raises(SchemaError):
            read_model(folder)
    (folder / "config.json").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(SchemaError):
        read_model(folder)
    assert not Path("exploded").exists()


def test_links_and_pipes_are_not_followed(folder, tmp_path):
    target = tmp_path / "secret"
    target.write_bytes((folder / "arrays.safetensors").read_bytes())
    (folder / "arrays.safetensors").unlink()
    (folder / "arrays.safetensors").symlink_to(target)
    with pytest.raises(SchemaError, match="missing or no plain file"):
        read_model(folder)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    with pytest.raises(SchemaError, match="missing or no plain file"):
        read_model(folder)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, 10_000), byte=st.integers(0, 255), which=st.sampled_from(["config.json", "arrays.safetensors"])
)
def test_one_changed_byte_anywhere_gives_the_model_or_a_schema_error(tmp_path_factory, at, byte, which):
    folder = tmp_path_factory.mktemp("fuzz") / "m"
    write_model(folder, STORED)
    data = bytearray((folder / which).read_bytes())
    data[at % len(data)] = byte
    if which == "config.json":
        (folder / which).write_bytes(bytes(data))
    else:
        put_file(folder, which, bytes(data))
    try:
        read_model(folder)
    except SchemaError as error:
        assert "train" in str(error)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "BF16", "F4"])
def test_a_dtype_that_numpy_lacks_is_refused_or_read_but_never_a_crash(folder, dtype):
    data = save({"x": np.zeros(4, dtype=np.uint8)}).replace(b'"U8"', f'"{dtype}"'.encode())
    head = int.from_bytes(data[:8], "little")
    text = data[8:].split(b"\0" * 4)[0].rstrip()
    put_file(folder, "arrays.safetensors", len(text).to_bytes(8, "little") + text + b"\0" * 4 if head else data)
    try:
        read_model(folder)
    except SchemaError as error:
        assert str(error).endswith("train the model again")


def test_a_model_is_held_against_the_data_by_name():
    require_match(FACTS, Path("models/ridge"), interval_mins=30, known_names=("local_half_hour", "local_weekday"))
    with pytest.raises(
        SchemaError, match="models/ridge: the model has interval_mins 30, the data 10; train a model on"
    ):
        require_match(FACTS, Path("models/ridge"), interval_mins=10)
    with pytest.raises(
        SchemaError, match=r"known_names \[local_half_hour, local_weekday\], the data \[local_half_hour\]"
    ):
        require_match(FACTS, Path("models/ridge"), known_names=("local_half_hour",))


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def killed_at(step, monkeypatch):
    """Let every change of the file system fail from the given one on."""
    left = iter(range(step - 1))

    def count(real):
        def call(*args, **kwargs):
            if next(left, None) is None:
                raise Killed
            return real(*args, **kwargs)

        return call

    for name in ("rename", "mkdir", "write_bytes"):
        monkeypatch.setattr(Path, name, count(getattr(Path, name)))
    monkeypatch.setattr(shutil, "rmtree", count(shutil.rmtree))


def test_a_writer_killed_at_any_of_its_steps_leaves_the_old_model_or_the_new_one(tmp_path):
    folder, seeds = tmp_path / "ridge", []
    newer = STORED._replace(facts=FACTS.model_copy(update={"seed": 2}))
    for step in range(1, 40):
        write_model(folder, STORED)
        assert [path.name for path in tmp_path.iterdir()] == ["ridge"]
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
            killed_at(step, patch)
            write_model(folder, newer)
            break
        seeds.append(read_model(folder).facts.seed)
    assert len(seeds) > 8
    assert (seeds[0], seeds[-1], read_model(folder).facts.seed) == (2013, 2, 2)
    assert seeds == sorted(seeds, reverse=True)
