"""A store and its twin in an object store: the real protocols on loopback, S3 by moto and Azure by Azurite."""

import json
import logging
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from tests.remote_servers import azure_server, s3_server
from tests.runner.made_stores import make_store

from loadproof.errors import ConfigError, SchemaError, SourceError
from loadproof.store import Store
from loadproof.twin import Moved, Twin, url_of

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "samples"

# s3fs, adlfs and what they stand on warn of what is not ours.
pytestmark = [pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The environment that leads to a service, what must stay secret in it, and the address of its bucket."""
    pytest.importorskip("s3fs", reason="the cloud extra is not installed")
    with s3_server(tmp_path_factory.mktemp("s3")) as (endpoint, secret):
        keys = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": secret}
        yield keys | {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "eu-west-2"}, secret, "s3://shared"


@pytest.fixture(scope="module")
def azure(tmp_path_factory):
    """The same of Azure's blobs."""
    pytest.importorskip("adlfs", reason="the cloud extra is not installed")
    with azure_server(tmp_path_factory.mktemp("azure")) as (said, key):
        yield {"AZURE_STORAGE_CONNECTION_STRING": said}, key, "az://shared"


def address(server, monkeypatch, name):
    environment, _, bucket = server
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    return f"{bucket}/{name}/data"


@pytest.fixture(params=["s3", "azure"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def url(server, monkeypatch, tmp_path):
    """The address of a twin of the test's own."""
    return address(server, monkeypatch, tmp_path.name)


@pytest.fixture
def s3_url(s3, monkeypatch, tmp_path):
    return address(s3, monkeypatch, tmp_path.name)


def contents(store):
    """Every file of a store, but for what hides."""
    root = store.root.parent
    files = sorted(path for path in root.rglob("*") if path.is_file() and ".staging" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def objects(url):
    from fsspec.core import url_to_fs

    system, place = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    return sorted(path.removeprefix(f"{place}/") for path in system.find(place))


def test_what_is_published_is_fetched_byte_for_byte_and_a_second_time_nothing_moves(url, tmp_path):
    ours, theirs = make_store(tmp_path / "a", homes=2, days=100), Store(tmp_path / "b" / "processed")
    size = sum(map(len, contents(ours).values()))
    assert Twin(url).publish(ours) == Moved(5, 5, size)
    assert Twin(url).fetch(theirs) == Moved(5, 5, size)
    assert contents(theirs) == contents(ours)
    assert theirs.scan_readings("lcl").collect().equals(ours.scan_readings("lcl").collect())
    assert Twin(url).publish(ours) == Twin(url).fetch(theirs) == Moved(5, 0, 0)
    assert sorted(path.name for path in theirs.staging_root.iterdir() if "lock" not in path.name) == []


def test_another_month_is_another_object_a_month_that_is_gone_goes_and_old_objects_outlive_one_publication(
    url, tmp_path
):
    first, reader = make_store(tmp_path / "a", homes=2, days=100), Store(tmp_path / "b" / "processed")
    Twin(url).publish(first)
    before = objects(url)
    assert len(before) == 6
    second = make_store(tmp_path / "c", homes=3, days=50)  # two months of four
    assert Twin(url).publish(second).moved == 2  # the summary is the same
    assert set(objects(url)) > set(before)  # whoever holds the first manifest finds its files
    Twin(url).fetch(reader)
    assert contents(reader) == contents(second)
    Twin(url).publish(make_store(tmp_path / "d", homes=4, days=50))
    assert len(objects(url)) == 1 + 3 + 2  # the manifest, what it names, and the two months that the last one named


CUT = """
import os, signal, sys
from pathlib import Path
from loadproof.store import Store
from loadproof.twin import Twin
ask = Twin._ask
def ask_or_die(self, method, *arguments, **settings):
    if method == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
    return ask(self, method, *arguments, **settings)
Twin._ask = ask_or_die
getattr(Twin(sys.argv[1]), sys.argv[4])(Store(Path(sys.argv[2])))
"""


def killed(url, store, at, what):
    """Publish or fetch in a process of its own that dies by SIGKILL where it would ask for ``at``."""
    words = [sys.executable, "-c", CUT, url, str(store.root), at, what]
    return subprocess.run(words, cwd=ROOT, env=dict(os.environ), check=False).returncode


def test_a_publisher_killed_before_the_manifest_leaves_the_old_store_and_the_next_run_sends_nothing_again(
    url, tmp_path
):
    first, reader = make_store(tmp_path / "a", homes=2, days=100), Store(tmp_path / "b" / "processed")
    Twin(url).publish(first)
    second = make_store(tmp_path / "c", homes=3, days=100)
    assert killed(url, second, "pipe_file", "publish") == -signal.SIGKILL
    Twin(url).fetch(reader)
    assert contents(reader) == contents(first)
    assert Twin(url).publish(second) == Moved(5, 0, 0)
    Twin(url).fetch(reader)
    assert contents(reader) == contents(second)


def test_a_file_that_arrives_damaged_is_not_put_in_place_and_the_store_stays_as_it_was(s3_url, tmp_path):
    from fsspec.core import url_to_fs

    reader = Store(tmp_path / "b" / "processed")
    Twin(s3_url).publish(make_store(tmp_path / "a", homes=2, days=100))
    Twin(s3_url).fetch(reader)
    before = contents(reader)
    second = make_store(tmp_path / "c", homes=3, days=100)
    Twin(s3_url).publish(second)
    system, place = url_to_fs(s3_url, use_listings_cache=False, skip_instance_cache=True)
    newest = json.loads(system.cat_file(f"{place}/manifest.json"))["files"]
    name = "processed/dataset=lcl/month=2013-02/part-00000"
    system.pipe_file(f"{place}/{name}.{newest[f'{name}.parquet']['sha256'][:16]}.parquet", b"PAR1 nothing PAR1")
    with pytest.raises(SourceError, match=r"month=2013-02.*has other bytes than its name says; remove it, and run the"):
        Twin(s3_url).fetch(reader)
    assert contents(reader) == before
    assert Twin(s3_url).publish(second).moved == 1
    Twin(s3_url).fetch(reader)
    assert contents(reader) == contents(second)


@pytest.mark.parametrize(
    "name", ["../../escaped", "processed/../../escaped", "/etc/passwd", "processed", "processed//x", "elsewhere/x"]
)
def test_a_manifest_that_leads_out_of_the_store_is_refused(name):
    said = json.dumps({"files": {name: {"sha256": "0" * 64, "size_bytes": 1}}, "superseded": []})
    twin = Twin("s3://bucket/prefix")
    twin._ask = lambda *words, **settings: said
    twin.__dict__["_opened"] = (None, "bucket/prefix")
    with pytest.raises(SchemaError, match="is no manifest of a store"):
        twin.fetch(Store(Path("/nowhere/processed")))


def test_an_empty_store_is_not_published_over_what_is_there(s3_url, tmp_path):
    with pytest.raises(SourceError, match="ingest something first"):
        Twin(s3_url).publish(Store(tmp_path / "processed"))


def test_a_store_that_is_being_written_is_neither_published_nor_fetched_into(s3_url, tmp_path):
    store = make_store(tmp_path / "a", homes=2, days=40)
    with store.writing("lcl"):
        for task in (Twin(s3_url).publish, Twin(s3_url).fetch):
            if task.__name__ == "fetch":
                Twin(s3_url).publish(make_store(tmp_path / "b", homes=2, days=40))
            with pytest.raises(
                SourceError, match="another ingest of lcl runs now, or its features are made; wait for it to end"
            ):
                task(store)


def everything_said(error):
    """An error with all that hangs on it, as a log or a crash report would show it."""
    hanging = [error, error.__cause__, error.__context__]
    return "".join(traceback.format_exception(error)) + "".join(map(repr, hanging))


def test_a_service_that_says_no_is_named_without_a_key_in_error_traceback_or_log(
    server, url, tmp_path, monkeypatch, caplog
):
    environment, secret, _ = server
    other = secret[:-12] + "AAAAAAAAAA=="
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace(secret, other))
    if "s3" in url:  # moto takes every key
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_SESSION_TOKEN", other)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with caplog.at_level(logging.DEBUG), pytest.raises(SourceError) as caught:
        from loadproof.cli.places import store_at

        monkeypatch.chdir(tmp_path)
        store_at(Path(url))
    assert str(caught.value).startswith(f"{url}: cannot be had (")
    assert str(caught.value).endswith("are right")
    assert other not in everything_said(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
        ("az://box/a/b", "az://box/a/b"),
        ("abfss://box@account.dfs.core.windows.net/a", "abfss://box@account.dfs.core.windows.net/a"),
        ("data/processed", None),
        ("/data/s3/processed", None),
        ("s3/bucket", None),
    ],
)
def test_an_address_is_told_from_a_folder_though_a_path_folds_its_slashes(path, url):
    assert url_of(Path(path)) == url


@pytest.mark.parametrize("path", ["s3://AKIA:hidden@bucket/x", "az://name:hidden@box/x", "abfs://a:hidden@b.c/x"])
def test_an_address_that_holds_a_key_is_refused_and_not_repeated(path):
    with pytest.raises(ConfigError, match="set it in the environment") as caught:
        url_of(Path(path))
    assert "hidden" not in str(caught.value)


def loadproof(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "loadproof", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def test_an_ingest_into_an_object_store_and_a_forecast_from_it_elsewhere_are_those_on_disk(s3, s3_url, tmp_path):
    _, secret, _ = s3
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "data").mkdir()
        (folder / "data" / "samples").symlink_to(SAMPLES)
    said = []
    for root in ("data/processed", s3_url):
        done = loadproof(here, "ingest", "lcl", "--use-samples", "--output-root", root)
        said.append(done.stdout + done.stderr)
    assert len(objects(s3_url)) > 3
    again = loadproof(here, "--verbose", "ingest", "lcl", "--use-samples", "--output-root", s3_url)
    assert f"INFO - 0 of {len(objects(s3_url)) - 1} files published to {s3_url}" in again.stderr
    tables = []
    for folder, root in ((here, "data/processed"), (there, s3_url)):
        words = ["--use-samples", "--processed-root", root, "--output-dir", "out", "--config", ROOT / "params.yaml"]
        done = loadproof(folder, "forecast", "--model", "seasonal_naive", *words)
        said.append(done.stdout + done.stderr)
        tables.append((folder / "out" / "forecasts" / "seasonal_naive.parquet").read_bytes())
    assert tables[0] == tables[1]
    assert secret not in "".join(said) + again.stdout + again.stderr
