"""Plain values as pickles of protocol 0, the text in which PyTables keeps attributes that are no text and no number.

Only what needs no code to read back is written: nothing here or in such a pickle names a class or a function.
"""

from collections.abc import Mapping

__all__ = ["Plain", "plain_pickle"]

Plain = str | bool | int | float | list["Plain"] | tuple["Plain", ...] | Mapping["str | int", "Plain"]

_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "\\\0\n\r\x1a"}  # what would end a line, or a file of text


def plain_pickle(value: Plain) -> bytes:
    """Return ``value`` as a pickle of protocol 0."""
    return _opcodes(value) + b"."


def _opcodes(value: Plain) -> bytes:
    if isinstance(value, str):
        return b"V" + value.translate(_ESCAPED).encode("raw-unicode-escape") + b"\n"
    if isinstance(value, bool):  # before int, of which it is a kind
        return b"I01\n" if value else b"I00\n"
    if isinstance(value, int):
        return f"I{value}\n".encode()
    if isinstance(value, float):
        return f"F{value!r}\n".encode()
    if isinstance(value, list):
        return b"(l" + b"".join(_opcodes(item) + b"a" for item in value)
    if isinstance(value, tuple):
        return b"(" + b"".join(_opcodes(item) for item in value) + b"t"
    return b"(d" + b"".join(_opcodes(key) + _opcodes(item) + b"s" for key, item in value.items())
