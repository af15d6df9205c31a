import pytest

from loadproof.ingestion.ssen import SSENIngestor


@pytest.fixture(autouse=True)
def _loopback_alone(monkeypatch):
    """Neither a proxy nor the developer's own key or site."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("SSEN_CKAN_URL", "SSEN_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def read(monkeypatch):
    """The names of the SSEN sources that an ingest reads."""
    names = []
    original = SSENIngestor.read
    monkeypatch.setattr(SSENIngestor, "read", lambda self, part: (names.append(part.name), original(self, part))[1])
    return names
