"""Faults of a shared folder that pass: what failed by one is tried again."""

import errno
import logging
from collections.abc import Callable
from typing import Final, TypeVar

from loadproof.errors import LoadproofError
from loadproof.files import error_number

__all__ = ["insist", "passes"]

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

TIMES: Final = 2
"""So often is tried again."""

_PASSING: Final = {errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EAGAIN}
"""They tell of the way to a file, and nothing of what is in it."""


def passes(error: BaseException) -> bool:
    """Return whether an error, or what it was raised from, is a fault that passes."""
    cause: BaseException | None = error
    while cause is not None and error_number(cause) not in _PASSING:
        cause = cause.__cause__
    return cause is not None


def insist(work: Callable[[], Result]) -> Result:
    """Do some work that may be done twice, and again where it fails by a fault that passes."""
    for _ in range(TIMES):
        try:
            return work()
        except (LoadproofError, OSError) as error:
            if not passes(error):
                raise
            logger.warning("tried again, for this may pass: %s", error)
    return work()
