"""Where homes stand: whose bank holidays they keep, and where the sun is."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["LONDON", "Nation", "Place"]

Nation: TypeAlias = Literal["england", "wales", "scotland", "northern_ireland"]


@dataclass(frozen=True)
class Place:
    """One place for all homes of a run: what the calendar of a home depends upon.

    Attributes:
        nation: Whose bank holidays count.
        latitude_deg: North is positive.
        longitude_deg: East is positive.
    """

    nation: Nation
    latitude_deg: float
    longitude_deg: float


LONDON: Final = Place("england", 51.508, -0.128)
"""Charing Cross, from which London's distances are measured; the homes of Low Carbon London lie within 25 km."""
# Source: https://en.wikipedia.org/wiki/Charing_Cross (51 deg 30' 29" N, 0 deg 7' 41" W)
