"""What a run is made by and from: commit, versions, hashes. What is not known is said to be so, and never raises."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import yaml

from loadproof import __version__

__all__ = ["code_tags", "dvc_tags"]

_PACKAGES: Final = ("numpy", "polars", "torch", "lightgbm")


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def code_tags() -> dict[str, str]:
    """Return the commit, whether the tree differs from it, and the versions of what computes."""
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    versions = {f"version.{name}": _version(name) for name in _PACKAGES}
    return {
        "commit": commit or "unknown",
        "dirty": "unknown" if changed is None else str(bool(changed)).lower(),
        "version.loadproof": __version__,
        "version.python": platform.python_version(),
        **versions,
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def dvc_tags(stage: str, folder: Path) -> dict[str, str]:
    """Return DVC's hash of each input of a stage that an earlier one wrote, by the lock in ``folder``."""
    deps = _read(folder / "dvc.yaml").get("stages", {}).get(stage, {}).get("deps", [])
    locked = _read(folder / "dvc.lock").get("stages", {})
    outs = {out["path"]: str(out.get("md5", "unknown")) for of in locked.values() for out in of.get("outs", [])}
    return {f"dvc.{dep}": outs[dep] for dep in deps if dep in outs}
