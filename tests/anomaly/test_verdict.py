"""What the verdict adds to the residual, by hand."""

import numpy as np
from tests.anomaly.detector_fixtures import fitted, homes, windows_of, with_context, with_day


def evidence_of(score):
    return score / (1 - score)


BOTH = [fitted(name) for name in ("residual", "verdict")]


def test_a_day_that_obeys_is_judged_by_its_residual_alone_and_another_by_its_excess_as_well():
    windows = windows_of(homes(2, 30, seed=3))
    truth = np.minimum(windows.truth_kwh, 1.9)
    truth[1, 10], truth[1, 11] = 2.75, np.nan
    day = with_day(windows, truth)
    residual, verdict = (detector.score(day) for detector in BOTH)
    before, after = (evidence_of(scores.score) for scores in (residual, verdict))
    np.testing.assert_array_equal(verdict.score[0], residual.score[0])
    np.testing.assert_allclose(np.delete(after[1] - before[1], 11), 0.75, atol=1e-3)
    assert np.isnan(verdict.score[1, 11])
    np.testing.assert_array_equal(residual.kind, verdict.kind)


def test_what_is_absurd_in_the_context_loosens_no_limit():
    windows = windows_of(homes(1, 29, seed=3))
    seen = []
    verdict = BOTH[1]
    context = windows.inputs.context_kwh.copy()
    context[0, 5] = 900.0
    judge, verdict._excess = verdict._excess, lambda some: (seen.append(some), judge(some))[1]
    verdict.score(with_context(windows, context))
    verdict._excess = judge
    assert np.isnan(seen[0].inputs.context_kwh[0, 5])
