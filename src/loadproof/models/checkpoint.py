"""A training at rest: one safetensors file, its small facts as JSON in the header; never pickle."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from loadproof.errors import ConfigError

__all__ = ["load", "save", "under"]

_KEY: Final = "loadproof"


def save(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and facts (JSON values) as one file; whoever is killed meanwhile leaves the earlier one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    alone = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    save_file(alone, beside, metadata={_KEY: json.dumps(facts)})
    beside.replace(path)


def load(path: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what :func:`save` wrote.

    Raises:
        ConfigError: When the file is no checkpoint of ours.
    """
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
            facts = json.loads((file.metadata() or {})[_KEY])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: is no checkpoint ({error}); remove it to begin anew") from error
    return tensors, facts


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix/``, by the rest of their names."""
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
