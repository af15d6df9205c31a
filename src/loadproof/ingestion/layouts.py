"""The forms in which a source is published, by name: words alone, which a command line can offer at no cost."""

from typing import Literal

__all__ = ["LCLLayout", "TsConvention", "UKDALELayout"]

LCLLayout = Literal["archive", "parts", "single", "kaggle"]

TsConvention = Literal["end", "start"]
"""Which end of its half hour a stamp marks."""

UKDALELayout = Literal["hdf5", "text", "csv"]
