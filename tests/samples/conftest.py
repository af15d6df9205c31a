import pytest

from loadproof.samples import write_samples


@pytest.fixture(scope="session")
def samples_root(tmp_path_factory):
    """Every sample of seed 2013, written once for all tests."""
    root = tmp_path_factory.mktemp("samples")
    write_samples(root, seed=2013)
    return root
