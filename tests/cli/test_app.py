import logging
import signal
import sys

import pytest

from loadproof.cli import app as cli
from loadproof.cli.app import _dask_is_at_work, _without_query


@pytest.mark.parametrize(
    ("name", "said", "shown"),
    [
        ("urllib3.connectionpool", "broken by 'reset': /a.zip?sig=s3cret&e=1", "broken by 'reset': /a.zip?..."),
        ("urllib3.connectionpool", '"GET /a?sig=s3cret HTTP/1.1" 200 9', '"GET /a?... HTTP/1.1" 200 9'),
        ("loadproof.runner.ssen", "which?one", "which?one"),
    ],
)
def test_a_signature_in_an_address_that_urllib3_logs_is_cut(name, said, shown):
    record = logging.LogRecord(name, logging.WARNING, "", 0, "%s", (said,), None)
    assert _without_query(record)
    assert record.getMessage() == shown


@pytest.mark.parametrize(
    ("name", "level", "shown"),
    [
        ("distributed.scheduler", logging.INFO, False),
        ("distributed.nanny", logging.WARNING, True),
        ("loadproof.runner.study", logging.INFO, True),
    ],
)
def test_what_dask_says_of_its_work_is_left_out_and_its_warnings_are_not(name, level, shown):
    assert _dask_is_at_work(logging.LogRecord(name, level, "", 0, "Register worker", (), None)) == shown


def test_a_command_that_is_interrupted_says_so_in_one_line_and_ends_with_130(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "read_config", interrupted)
    monkeypatch.setattr(sys, "argv", ["loadproof", "run", "evaluate_models"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 128 + signal.SIGINT
    (said,) = capsys.readouterr().err.splitlines()
    assert said == "interrupted; what is in place is whole, so run the same command again"
