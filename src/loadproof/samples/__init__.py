"""Simulated homes, and the small files that the house ships in each source's own raw layout.

Nothing here is a measured row: ``docs/samples.md`` says how far the simulated homes are from real ones.

* ``write_samples(root, seed=...)`` writes every sample there is.
* ``write_lcl_sample(path, seed=...)`` writes Low Carbon London's layout, defects and all.

Inside, from the bottom up: ``pulses`` and ``clock`` (minutes), ``weather``, ``people`` and ``homes`` (who and what),
``appliances`` and ``heating`` (loads), ``simulation`` (one home, appliance by appliance), ``lcl`` (a file).
"""

from loadproof.samples.lcl import write_lcl_sample
from loadproof.samples.writer import write_samples

__all__ = ["write_lcl_sample", "write_samples"]
