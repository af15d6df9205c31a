"""Models at rest: a folder of ``config.json``, safetensors and text files; never a pickle, and whole or absent.

``config.json`` holds :class:`ModelFacts`, the knobs, and the SHA-256 of every other file. ``arrays.safetensors`` is
what the model learned, ``calibration.safetensors`` what holds its intervals, ``<part>-<name>.txt`` a library's text.
"""

import datetime as dt
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from safetensors import SafetensorError
from safetensors.numpy import load, save

from loadproof import __version__
from loadproof.errors import SchemaError
from loadproof.forecaster import ModelState
from loadproof.schema import LEVELS, Dataset

__all__ = ["ModelFacts", "StoredModel", "digest_model", "read_facts", "read_model", "require_match", "write_model"]

CONFIG: Final = "config.json"
MAX_CONFIG_BYTES: Final = 16_000_000
MAX_FILE_BYTES: Final = 1_000_000_000

_ARRAYS: Final = {"model": "arrays.safetensors", "calibration": "calibration.safetensors"}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NUMBERS: Final = "biuf"  # the kinds of numpy that a file can hold without being executed when read


class ModelFacts(BaseModel):
    """What a model is and what it was made from: all that must agree before it is used."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model: str
    loadproof_version: str = __version__
    dataset: Dataset
    mode: str = Field(description="Whether it learned from files or from samples")
    interval_mins: int = Field(ge=1)
    known_names: tuple[str, ...] = Field(description="The features beside the readings, in order")
    levels: tuple[float, ...] = LEVELS
    context_steps: int = Field(ge=1)
    horizon_steps: int = Field(ge=1)
    data_lag_steps: int = Field(ge=0)
    seed: int
    data_sha256: str
    trained_until: str = Field(description="The first UK day that neither fit nor validation has seen")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="The sections of the config that decided the fit"
    )

    @field_validator("trained_until")
    @classmethod
    def _is_a_day(cls, text: str) -> str:
        dt.date.fromisoformat(text)
        return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    knobs: dict[str, Any]
    texts: tuple[str, ...]


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    facts: ModelFacts
    parts: dict[str, _Part]
    files: dict[str, str] = Field(description="SHA-256 of every other file")


class StoredModel(NamedTuple):
    """A model folder in memory."""

    facts: ModelFacts
    state: ModelState
    calibration: ModelState | None = None


def _files_of(part: str, state: ModelState) -> dict[str, bytes]:
    """Return the files of one part by name."""
    for name, array in state.arrays.items():
        if np.asarray(array).dtype.kind not in _NUMBERS:
            raise SchemaError(f"array {name} of {part} holds {array.dtype}; put what is no number into knobs or texts")
    # asarray and not ascontiguousarray, which makes a vector of a scalar.
    arrays = {name: np.asarray(array, order="C") for name, array in state.arrays.items()}
    return {_ARRAYS[part]: save(arrays)} | {
        _text_file(part, name): text.encode() for name, text in sorted(state.texts.items())
    }


def _text_file(part: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SchemaError(f"{name!r} is no name of a text of a model; use letters, digits and _ . - alone")
    return f"{part}-{name}.txt"


def _place(folder: Path, mark: str) -> Path:
    return folder.with_name(f".{folder.name}.{mark}")


def _swap(folder: Path) -> None:
    """Put the whole folder that stands beside in place; a kill at any moment leaves one that :func:`_whole` finds."""
    new, old = _place(folder, "new"), _place(folder, "old")
    if not new.is_dir():
        return
    shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _whole(folder: Path) -> Path:
    """Return where the model lies: in place, or beside where a killed writer left it whole."""
    return folder if folder.is_dir() or not _place(folder, "new").is_dir() else _place(folder, "new")


def digest_model(folder: Path) -> str:
    """Return what changes when anything of a model does; empty where there is none."""
    path = _whole(folder) / CONFIG  # which names the SHA-256 of every other file
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def write_model(folder: Path, stored: StoredModel) -> None:
    """Write a model folder, whole or not at all; the same model gives the same bytes.

    Raises:
        SchemaError: When a state holds what a file cannot.
    """
    parts = {"model": stored.state} | ({"calibration": stored.calibration} if stored.calibration else {})
    files = {name: data for part, state in parts.items() for name, data in _files_of(part, state).items()}
    config = _Config(
        facts=stored.facts,
        parts={part: _Part(knobs=state.knobs, texts=tuple(sorted(state.texts))) for part, state in parts.items()},
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    text = json.dumps(config.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"
    folder.parent.mkdir(parents=True, exist_ok=True)
    _swap(folder)  # what a killed writer left whole
    beside = _place(folder, "tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        for name, data in {**files, CONFIG: text.encode()}.items():
            (beside / name).write_bytes(data)
        beside.rename(_place(folder, "new"))
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _swap(folder)


def _bytes_of(path: Path, *, at_most: int) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise SchemaError(f"{path}: is missing or no plain file; train the model again with 'loadproof train'")
    if path.stat().st_size > at_most:
        raise SchemaError(f"{path}: is larger than any model's; train the model again with 'loadproof train'")
    return path.read_bytes()


def _read_config(folder: Path) -> _Config:
    path = folder / CONFIG
    if not folder.is_dir():
        raise SchemaError(f"{folder}: holds no model; run 'loadproof train' first, or name another --models-root")
    data = _bytes_of(path, at_most=MAX_CONFIG_BYTES)
    try:
        raw = json.loads(data)
        version = raw["facts"]["loadproof_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SchemaError(f"{path}: is no model's config ({_short(error)}); train the model again") from error
    if version != __version__:
        raise SchemaError(
            f"{path}: was written by loadproof {str(version)[:40]}, this is {__version__}; train the model again with "
            "'loadproof train', or install that version"
        )
    try:
        return _Config.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise SchemaError(f"{path}: {where[:200]}: {first['msg']}; train the model again") from error


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:100]}"


def _read_part(folder: Path, part: str, config: _Config) -> ModelState:
    about = config.parts[part]

    def checked(name: str) -> bytes:
        data = _bytes_of(folder / name, at_most=MAX_FILE_BYTES)
        if hashlib.sha256(data).hexdigest() != config.files.get(name):
            raise SchemaError(f"{folder / name}: is not the file that {CONFIG} speaks of; train the model again")
        return data

    path = folder / _ARRAYS[part]
    try:
        arrays: dict[str, NDArray[Any]] = load(checked(path.name))
        texts = {name: checked(_text_file(part, name)).decode() for name in about.texts}
    except (SafetensorError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise SchemaError(f"{path}: cannot be read ({_short(error)}); train the model again") from error
    return ModelState(about.knobs, arrays, texts)


def read_facts(folder: Path) -> ModelFacts | None:
    """Return what a model folder says of itself, None where there is none.

    Raises:
        SchemaError: As :func:`read_model`.
    """
    where = _whole(folder)
    return _read_config(where).facts if where.is_dir() else None


def read_model(folder: Path) -> StoredModel:
    """Return the model in a folder; nothing in it is executed.

    Raises:
        SchemaError: When there is none, it is damaged, or it is of another version or other levels.
    """
    where = _whole(folder)
    config = _read_config(where)
    if config.facts.levels != LEVELS:
        raise SchemaError(
            f"{where / CONFIG}: forecasts the levels {list(config.facts.levels)}, this version {list(LEVELS)}; "
            "train the model again"
        )
    if strange := (set(config.parts) ^ {"model"}) - {"calibration"}:
        raise SchemaError(f"{where / CONFIG}: has or lacks the part {min(strange)[:40]}; train the model again")
    states = {part: _read_part(where, part, config) for part in _ARRAYS if part in config.parts}
    return StoredModel(config.facts, states["model"], states.get("calibration"))


def require_match(facts: ModelFacts, folder: Path, **wanted: object) -> None:
    """Refuse a model whose facts are not those that the data has.

    Args:
        facts: What the model says of itself.
        folder: Where it lies, for the message.
        wanted: Fields of ``ModelFacts`` and what they must be.

    Raises:
        SchemaError: Where one differs.
    """
    for name, value in wanted.items():
        if (own := getattr(facts, name)) != value:
            raise SchemaError(
                f"{folder}: the model has {name} {_said(own)}, the data {_said(value)}; "
                "train a model on such data with 'loadproof train', or name another --models-root"
            )


def _said(value: object) -> str:
    if isinstance(value, Mapping | tuple | list):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)
