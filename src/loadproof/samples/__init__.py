"""Simulated homes, and the small files that the house ships in each source's own raw layout.

Nothing here is a measured row: ``docs/samples.md`` says how far the simulated homes are from real ones.

* ``write_samples(root, seed=...)`` writes every sample there is, ``SAMPLES`` names them.
* ``write_lcl_sample(path, seed=...)`` writes Low Carbon London's layout, defects and all.

From the bottom up: ``pulses``, ``clock`` (minutes), ``weather``, ``people``, ``homes`` (who and what), ``appliances``,
``heating`` (loads), ``simulation`` (a home), then a file a source: ``lcl``, ``ukdale``, ``ssen``, ``midas``.
"""

from loadproof.samples.lcl import write_lcl_sample
from loadproof.samples.writer import SAMPLES, write_samples

__all__ = ["SAMPLES", "write_lcl_sample", "write_samples"]
