import logging

import pytest

from loadproof.cli.app import _without_query


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
