"""All samples together: which files, how large, and that the committed ones are what the simulator writes."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest

from loadproof.samples import SAMPLES, write_samples

COMMITTED = Path(__file__).parents[2] / "data" / "samples"


def content(path):
    """Return what a file says, whichever version of zlib packed it."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    return hdf5_content(path) if path.suffix == ".h5" else path.read_bytes()


def hdf5_content(path):
    found = {}

    def note(name, node):
        found[name] = {key: repr(value) for key, value in node.attrs.items()}
        if isinstance(node, h5py.Dataset):
            found[name]["rows"] = np.asarray(node).tobytes()

    with h5py.File(path) as file:
        note("/", file)
        file.visititems(note)
    return found


def test_six_files_of_four_sources_are_written_and_nothing_else(samples_root):
    assert sorted(path.name for path in samples_root.iterdir()) == sorted(SAMPLES) == [
        "lcl_sample.csv", "midas_sample.csv.gz", "ssen_lookup_sample.csv", "ssen_sample.csv", "ukdale_sample.csv",
        "ukdale_sample.h5",
    ]  # fmt: skip


# Of the others, the comparison with the committed file says the same.
@pytest.mark.parametrize("name", ["midas_sample.csv.gz", "ukdale_sample.h5"])
def test_the_same_seed_gives_the_same_bytes_twice(samples_root, tmp_path, name):
    SAMPLES[name](tmp_path / name, seed=2013)
    assert (tmp_path / name).read_bytes() == (samples_root / name).read_bytes()


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"lcl_sample.csv", "ssen_lookup_sample.csv"}))
def test_seed_2014_gives_other_homes(samples_root, tmp_path, name):
    SAMPLES[name](tmp_path / name, seed=2014)
    assert content(tmp_path / name) != content(samples_root / name)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_committed_samples_are_what_seed_2013_writes(samples_root, name):
    assert content(COMMITTED / name) == content(samples_root / name)


def test_the_committed_samples_take_less_than_5_megabytes_in_all():
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*") if path.is_file()) < 5_000_000


def test_the_paths_that_come_back_are_those_of_the_files(monkeypatch, tmp_path):
    monkeypatch.setattr("loadproof.samples.writer.SAMPLES", {"one": lambda path, seed: path.write_text(str(seed))})
    assert [path.read_text() for path in write_samples(tmp_path, seed=7)] == ["7"]
