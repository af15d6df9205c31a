"""Push, a wiped cache, a pull: the commands of docs/pipeline.md against the real protocols on loopback."""

import hashlib
import re
import shlex
import shutil

import pytest
from tests.pipeline_project import ROOT, contents, dvc, git, lay_project
from tests.remote_servers import azure_server, s3_server

# boto3 and azure-storage warn of what is not ours.
pytestmark = [pytest.mark.filterwarnings("ignore")]


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
    with s3_server(tmp_path) as (endpoint, secret):
        words = block("S3", BUCKET="shared", ENDPOINT=endpoint, KEY="AKIATEST", SECRET=secret)
        pushed = push_wipe_pull(project, words)
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name="eu-west-2", aws_access_key_id="AKIATEST",
                          aws_secret_access_key=secret)  # fmt: skip
        listed = s3.list_objects_v2(Bucket="shared")["Contents"]
        assert_holds(
            {item["Key"]: s3.get_object(Bucket="shared", Key=item["Key"])["Body"].read() for item in listed}, pushed
        )
        s3.close()
    git(project, "add", "--all")
    assert secret not in git(project, "diff", "--cached")
    assert secret in (project / ".dvc" / "config.local").read_text()


def test_azure_gives_back_the_bytes_that_were_pushed_and_nothing_here_holds_the_key(project, tmp_path):
    blob = pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    with azure_server(tmp_path) as (said, key):
        pushed = push_wipe_pull(project, block("Azure", CONTAINER="shared"), AZURE_STORAGE_CONNECTION_STRING=said)
        with blob.BlobServiceClient.from_connection_string(said) as service:
            container = service.get_container_client("shared")
            names = [item.name for item in container.list_blobs()]
            assert_holds({name: container.download_blob(name).readall() for name in names}, pushed)
    written = [path for path in project.rglob("*") if path.is_file()]
    assert [path for path in written if key.encode() in path.read_bytes()] == []
