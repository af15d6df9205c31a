"""The pipeline as committed, in a Git repository of its own, with a stand-in for each stage that takes no time."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DVC = Path(sys.executable).with_name("dvc")


def dvc(folder, *words, **environment):
    """Run DVC in a folder; return what it printed."""
    path = f"{DVC.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", **environment}
    done = subprocess.run([DVC, *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def git(folder, *words):
    named = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    return subprocess.run(["git", *named, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def contents(folder):
    """Return the bytes of every file by its path, but for what hides."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not re.search(r"/\.", str(path)))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def lay_project(folder):
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("loadproof", "src/loadproof", "data/samples", ".dvc"):
        (folder / name).mkdir(parents=True)
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc")
    shutil.copy(ROOT / "tests" / "stand_in_stage.py", folder / "loadproof" / "__main__.py")
    (folder / "loadproof" / "__init__.py").write_text("")
    (folder / "src" / "loadproof" / "code.py").write_text("")
    (folder / "data" / "samples" / "lcl_sample.csv").write_text("readings")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "as it is")
    return folder
