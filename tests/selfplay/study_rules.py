"""The rules by which the study's committed records were made, as a digest a family: a record's identity holds none.

``python -m tests.selfplay.study_rules`` writes them anew: once the records have been played anew by other rules, or
where a rule has another name and is the same.
"""

import datetime as dt
import json
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from loadproof.limits import fuse_limit
from loadproof.scenario import acts, ground, kinds, shapes
from loadproof.schema import LEVELS
from loadproof.selfplay import (
    augmentation,
    exam,
    hard_days,
    inference,
    plan,
    proposer,
    scales,
    solver,
    start,
    tables,
    trainer,
    verifier,
)

RULES = Path(__file__).parents[2] / "docs" / "results" / "records" / "selfplay" / "small" / "rules.json"
_PLAIN = (bool, int, float, tuple, dt.date, np.timedelta64, np.ndarray)


def constants(*modules: ModuleType) -> dict[str, Any]:
    """Return the numbers, spans and tuples that modules call by capitals, those that they import among them."""
    return {
        f"{module.__name__.rsplit('.', 1)[1]}.{name}": value
        for module in modules
        for name, value in sorted(vars(module).items())
        if name.isupper() and isinstance(value, _PLAIN)
    }


def rules() -> dict[str, Any]:
    """Return what decides what is in a record beside its identity, by family; sources and units are no rules."""
    return {
        "kinds": {
            kind: [
                facts.family, facts.onset_steps, facts.grounded, facts.proposed,
                {name: (float(of.low), float(of.high), of.among) for name, of in facts.ranges.items()},
            ]
            for kind, facts in kinds.KINDS.items()
        },
        "scenarios": constants(acts, ground, kinds, shapes),
        "constraints": [
            {name: of.weight for name, of in verifier.CONSTRAINTS.items()}, constants(verifier), fuse_limit(),
        ],
        "hard windows": constants(hard_days),
        "endpoint": inference.PRIMARY,
        "left out": plan.LEFT_OUT,
        "exam": [constants(exam, scales, tables), LEVELS],
        "game": constants(proposer, trainer, solver, start, augmentation),
    }  # fmt: skip


def _said(value: Any) -> Any:
    return np.round(value, 6).tolist() if isinstance(value, np.ndarray) else str(value)


def digests() -> dict[str, str]:
    """Return the digest of each family of rules; the order in which kinds and parameters are drawn is one of them."""
    told = {family: json.dumps(of, default=_said) for family, of in rules().items()}
    return {family: sha256(text.encode()).hexdigest() for family, text in told.items()}


if __name__ == "__main__":
    RULES.write_text(json.dumps(digests(), indent=2) + "\n", encoding="utf-8")
