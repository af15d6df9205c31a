"""What ``import loadproof`` offers, at what cost."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import loadproof

STUB = Path(loadproof.__file__).with_suffix(".pyi")


def test_the_stub_tells_type_checkers_the_same_names_and_homes():
    imports = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ImportFrom)]
    told = [(alias.name, alias.asname, node.module) for node in imports for alias in node.names]
    assert all(name == again for name, again, _ in told)
    assert {name: home for name, _, home in told} == loadproof._HOME_OF
    assert "__version__: str" in STUB.read_text()


@pytest.mark.parametrize("name", loadproof.__all__)
def test_each_name_is_the_one_of_its_home_and_public_there(name):
    home = import_module(loadproof._HOME_OF[name])
    assert getattr(loadproof, name) is getattr(home, name)
    assert name in home.__all__


def test_importing_the_package_imports_no_library_and_no_module_of_its_own():
    code = (
        "import sys; before = set(sys.modules); import loadproof; "
        "print(*sorted(m for m in set(sys.modules) - before if m.partition('.')[0] not in sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["loadproof"]


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(AttributeError, match=r"'loadproof' has no attribute 'forcast'; there are: .*forecast"):
        _ = loadproof.forcast
    assert {"Store", "ingest", "verify", "__version__"} <= set(dir(loadproof))
