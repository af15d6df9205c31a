import re
from pathlib import Path

from loadproof.baselines import BASELINES
from loadproof.config import ExperimentConfig, read_config
from loadproof.ingestion import INGESTORS, ukdale_sources
from loadproof.ingestion.layouts import LCLLayout, UKDALELayout
from loadproof.ingestion.lcl_files import FINDERS
from loadproof.ingestion.sources import SOURCES, Downloadable
from loadproof.runner.stages import STAGES, StageName
from loadproof.schema import Dataset

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "src" / "loadproof").rglob("*.py"))


def names(literal):
    return set(literal.__args__)


def test_every_vocabulary_is_said_once():
    assert set(INGESTORS) == names(Dataset)
    assert set(SOURCES) == names(Downloadable)
    assert set(FINDERS) == names(LCLLayout)
    assert set(ukdale_sources.FINDERS) == names(UKDALELayout)
    assert set(STAGES) == names(StageName)


def test_each_baseline_goes_by_the_name_it_is_listed_under():
    assert [build().name for build in BASELINES.values()] == list(BASELINES)


def test_the_committed_params_are_valid_and_name_every_section():
    text = (ROOT / "params.yaml").read_text()
    read_config(ROOT / "params.yaml")
    assert set(re.findall(r"^(\w+):", text, re.MULTILINE)) == set(ExperimentConfig.model_fields)


def test_the_committed_params_hold_no_date_without_quotes_for_dvc_knows_none():
    lines = (ROOT / "params.yaml").read_text().splitlines()
    assert [line for line in lines if re.search(r"[:\[,] *\d{4}-\d{2}-\d{2}", line)] == []


def test_no_file_is_a_grab_bag_and_none_catches_everything():
    for path in MODULES:
        assert path.stem not in {"utils", "helpers", "common", "misc"}
        assert not re.search(r"except( Exception| BaseException)?:", path.read_text()), path


def test_the_environment_is_read_by_the_config_alone():
    readers = [path.name for path in MODULES if re.search(r"os\.environ|getenv", path.read_text())]
    assert readers == ["tracking.py"]  # which sets what mlflow reads on import, where the user has not


def test_one_module_imports_mlflow():
    assert [path.name for path in MODULES if re.search(r"^\s*(import|from) mlflow", path.read_text(), re.M)] == [
        "tracking.py"
    ]


def test_chance_is_an_argument_everywhere():
    for path in MODULES:
        assert not re.search(r"np\.random\.(?!Generator|default_rng)|import random\b", path.read_text()), path
