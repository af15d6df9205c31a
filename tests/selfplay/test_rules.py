"""The committed records were made by the rules that are in force; nothing else would tell that they were not."""

import json

import pytest
from tests.selfplay.study_rules import RULES, constants, digests, rules

from loadproof.scenario.kinds import KINDS
from loadproof.selfplay import hard_days, inference, plan, verifier


def changed():
    """Return the families whose rules are not those of the committed records."""
    kept, now = json.loads(RULES.read_text()), digests()
    return sorted(family for family in kept.keys() | now.keys() if kept.get(family) != now.get(family))


def test_the_rules_of_the_committed_records_are_in_force():
    assert not changed(), (
        f"the rules of the committed records have changed ({', '.join(changed())}): play them anew or put the rule back"
    )


def another_kind(patch):
    ranges = KINDS["OUTAGE"].ranges
    hours = ranges["hours"]._replace(high=24)
    patch.setitem(KINDS, "OUTAGE", KINDS["OUTAGE"]._replace(ranges=ranges | {"hours": hours}))


def another_order(patch):
    ranges = KINDS["OUTAGE"].ranges
    patch.setitem(KINDS, "OUTAGE", KINDS["OUTAGE"]._replace(ranges=dict(reversed(ranges.items()))))


def another_weight(patch):
    patch.setitem(verifier.CONSTRAINTS, "ramp", verifier.CONSTRAINTS["ramp"]._replace(weight=1.0))


CHANGES = {
    "a range": (another_kind, "kinds"),
    "the order of parameters": (another_order, "kinds"),
    "a constraint's weight": (another_weight, "constraints"),
    "a constraint's limit": (lambda patch: patch.setattr(verifier, "_RAMP_KWH", 7.36), "constraints"),
    "a limit behind it": (lambda patch: patch.setattr(verifier, "WINTER_CYCLIC_RATIO", 1.3), "constraints"),
    "what is hard": (lambda patch: patch.setattr(hard_days, "_GAP_STEPS", 6), "hard windows"),
    "the endpoint": (lambda patch: patch.setattr(inference, "PRIMARY", inference.PRIMARY[:-1]), "endpoint"),
    "what is left out": (lambda patch: patch.setattr(plan, "LEFT_OUT", ("new_load",)), "left out"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_rule_that_changes_is_told_by_its_family(monkeypatch, what):
    change, family = CHANGES[what]
    change(monkeypatch)
    assert changed() == [family]


def test_a_source_is_no_rule(monkeypatch):
    before = digests()
    ramp = verifier.CONSTRAINTS["ramp"]
    monkeypatch.setitem(verifier.CONSTRAINTS, "ramp", ramp._replace(source="measured anew", unit="kWh"))
    assert digests() == before
    assert "verifier._MEASURED" not in constants(verifier)
    assert constants(hard_days)["hard_days._CHANGE"] == 0.7
    assert all(rules().values())
