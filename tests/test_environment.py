import os

import pytest

from loadproof.environment import SampleMode, read_environment
from loadproof.errors import ConfigError


@pytest.fixture(autouse=True)
def _bare(tmp_path, monkeypatch):
    """No variable and no ``.env`` but those of the test."""
    for name in ("USE_SAMPLES", "CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_word_that_is_neither_true_nor_false_is_1_error_with_its_mend(monkeypatch):
    monkeypatch.setenv("USE_SAMPLES", "perhaps")
    with pytest.raises(ConfigError, match=r"^USE_SAMPLES: .*valid boolean.*; mend it in the environment or in \.env"):
        read_environment()


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    monkeypatch.setenv("USE_SAMPLES", "")
    monkeypatch.setenv("CI", "true")
    assert SampleMode.decide(None, read_environment()) == SampleMode(on=True, why="CI=true")


def test_an_env_file_of_bytes_that_are_no_text_is_1_error(tmp_path):
    (tmp_path / ".env").write_bytes(b"USE_SAMPLES=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"^\.env: is no UTF-8 text .*; mend it or move it away"):
        read_environment()


@pytest.mark.parametrize(
    ("put", "told"),
    [
        (os.mkfifo, "Is a pipe or a device"),
        (lambda path: path.symlink_to(path.name), "symbolic links"),
        (lambda path: path.mkdir(), "Is a directory"),
    ],
)
def test_an_env_file_that_is_a_pipe_a_loop_of_links_or_a_folder_is_1_error_and_waits_for_nobody(put, told, tmp_path):
    put(tmp_path / ".env")
    with pytest.raises(ConfigError, match=rf"^\.env: cannot be read \(.*{told}.*\); mend it or move it away"):
        read_environment()


def test_an_env_file_that_is_a_link_to_nothing_is_none(tmp_path):
    (tmp_path / ".env").symlink_to("absent")
    assert read_environment().use_samples is None
