import errno

import polars as pl
import pytest

from loadproof.errors import SchemaError
from loadproof.runner.passing_faults import insist, passes


def raised_from(cause):
    error = SchemaError("the readings cannot be read")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ESTALE, "Stale file handle"),
        raised_from(pl.exceptions.ComputeError("Stale file handle (os error 116): /shared/part-00000.parquet")),
        raised_from(OSError("Can't read data (file read failed: time = now, errno = 5, error message = 'I/O error')")),
    ],
)
def test_a_fault_of_the_way_to_a_file_passes_however_it_is_told(error):
    assert passes(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("truncated file"),
        raised_from(pl.exceptions.ComputeError("parquet: File out of specification")),
        SchemaError("line 116 is bad (os error 116)"),
    ],
)
def test_what_is_wrong_with_a_disk_or_a_file_does_not(error):
    assert not passes(error)


def test_what_fails_by_another_fault_the_second_time_is_not_tried_a_third():
    faults = [OSError(errno.EIO, "Input/output error"), SchemaError("is damaged")]

    def work():
        raise faults.pop(0)

    with pytest.raises(SchemaError, match="is damaged"):
        insist(work)
    assert not faults
