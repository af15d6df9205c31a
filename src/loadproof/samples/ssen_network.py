"""The feeders of the SSEN sample: two primary substations that do not exist, and what hangs below them.

As in the real network, secondary substation 001 exists below several HV feeders and LV feeder 01 at every secondary
substation, so that only all four ids together name a feeder.
"""

from typing import Final, NamedTuple

__all__ = ["FEEDERS", "PRIVACY_FLOOR", "Feeder"]

PRIVACY_FLOOR: Final = 5  # with fewer smart meters a feeder's readings are not published


class Feeder(NamedTuple):
    """One LV feeder; an empty name is one that the publisher does not give."""

    primary_id: str
    primary_name: str
    hv_id: str
    hv_name: str
    secondary_id: str
    secondary_name: str
    lv_id: str
    lv_name: str
    smart_meters: int
    mpans: int  # all supplies, with smart meters and without
    postcodes: tuple[str, ...]

    @property
    def dataset_id(self) -> str:
        """The key: 4 + 3 + 3 + 2 digits, leading zeros included."""
        return self.primary_id + self.hv_id + self.secondary_id + self.lv_id


_SHORE: Final = ("0990", "WESTER SHORE")
_HILL: Final = ("0991", "CASTLE HILL")

FEEDERS: Final = (
    Feeder(*_SHORE, "003", "MILL LN", "001", "MILL LANE", "01", "", 12, 31, ("ZZ99 1AA", "ZZ99 1AB", "ZZ99 1AD")),
    Feeder(*_SHORE, "003", "MILL LN", "001", "MILL LANE", "02", "", 7, 19, ("ZZ99 1AD", "ZZ99 1AE")),
    Feeder(*_SHORE, "003", "MILL LN", "001", "MILL LANE", "03", "EAST SIDE", 5, 9, ("ZZ99 1AF",)),
    Feeder(*_SHORE, "003", "MILL LN", "001", "MILL LANE", "04", "", 3, 6, ("ZZ99 1AF", "ZZ99 1AG")),
    Feeder(*_SHORE, "003", "MILL LN", "002", "S.M. HSG.,HARBOUR VIEW", "01", "", 16, 40, ("ZZ99 1BA", "ZZ99 1BB")),
    Feeder(*_SHORE, "003", "MILL LN", "002", "S.M. HSG.,HARBOUR VIEW", "02", "", 9, 14, ("ZZ99 1BB",)),
    Feeder(*_SHORE, "011", "", "001", "CHAPEL BRAE", "01", "", 14, 27, ("ZZ99 2AA", "zz992ab", "ZZ99 2AD", "ZZ99 2AE")),
    Feeder(*_SHORE, "011", "", "001", "CHAPEL BRAE", "02", "", 6, 11, ("ZZ99",)),
    Feeder(*_HILL, "002", "KIRK RD", "014", "", "01", "", 10, 22, ("",)),
    Feeder(*_HILL, "002", "KIRK RD", "015", 'KIRK ROAD "B"', "01", "", 18, 44, ("ZZ99 3AA", "ZZ99  3AB")),
    Feeder(*_HILL, "002", "KIRK RD", "015", 'KIRK ROAD "B"', "02", "ODD NUMBERS, UPPER", 8, 12, ("ZZ99 3AB",)),
    Feeder(*_HILL, "003", "GLEN ST", "001", "GLEN TERRACE", "01", "", 11, 25, ("ZZ99 3BA", "ZZ99 3BD")),
    Feeder(*_HILL, "003", "GLEN ST", "001", "GLEN TERRACE", "05", "", 8, 16, ("ZZ99 3BE",)),
)
"""Sorted by ``dataset_id``. The fourth is below the floor: the lookup has it, and no usage file."""
