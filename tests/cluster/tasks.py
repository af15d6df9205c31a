"""What the cluster's tests send to workers: module-level functions of small values."""

import os
import signal
import time
from pathlib import Path


def double(number):
    return 2 * number, os.getpid()


def fail_at(bad, number):
    if number in bad:
        raise ValueError(f"{number} is bad")
    return number


def fail_once(folder, number):
    mark = Path(folder) / str(number)
    if not mark.exists():
        mark.touch()
        raise OSError(f"{number} for the first time")
    return number


def die_once(folder, number):
    mark = Path(folder) / str(number)
    if number == 5 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def eat(number):
    if number == 2:
        held = [bytearray(os.urandom(1 << 20)) * 20 for _ in range(200)]
        time.sleep(30)
        return len(held)
    return number
