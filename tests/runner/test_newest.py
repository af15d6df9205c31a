from pathlib import Path

import pytest
from tests.conftest import lcl_line

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.runner.newest import bring_newest
from loadproof.runner.ssen import Remote
from loadproof.store import Store


def bring(root, store, dataset="lcl", source="files"):
    config, remote = ExperimentConfig(), Remote(Path("nowhere"))
    return bring_newest(store, dataset, source, root, config, remote=remote, api_key=None)


def test_what_is_new_comes_in_and_a_part_that_cannot_be_read_is_told(lcl_root, tmp_path):
    store = Store(tmp_path / "out" / "processed")
    assert bring(lcl_root([lcl_line()]), store) == []
    assert store.entities("lcl") == ["lcl:MAC000002"]
    root = lcl_root([lcl_line()], [lcl_line("MAC000003")], b"no,reading\r\n")
    (told,) = bring(root, store)
    assert "LCL-June2015v2_2.csv" in told
    assert store.entities("lcl") == ["lcl:MAC000002", "lcl:MAC000003"]


def test_homes_do_not_come_by_a_listing(tmp_path):
    with pytest.raises(ConfigError, match=r"lcl does not come by listing; take --ingest files"):
        bring(tmp_path, Store(tmp_path / "processed"), source="listing")
