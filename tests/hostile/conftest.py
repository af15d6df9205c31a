import tempfile
from pathlib import Path

import pytest
from tests.hostile import watch
from tests.hostile.make_bad_inputs import BadInput
from tests.hostile.surroundings import Surroundings


@pytest.fixture(scope="session")
def observe():
    """What a case of either table gets; each is run once, and the page of all is made of the same runs."""
    seen = {}
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "GITHUB_ACTIONS", "USE_SAMPLES"):
            patch.delenv(name, raising=False)
        Path(folder).chmod(0o755)

        def run(case: BadInput | Surroundings):
            key = (case.name, case.sort.name)
            if key not in seen:
                seen[key] = watch.observe(case, Path(tempfile.mkdtemp(dir=folder)) / "run")
            return seen[key]

        yield run
