"""The columns of Met Office MIDAS Open's hourly weather observations, and the facts that its files state of each.

Source: the header of the published files; names, order, units and types are the format.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["COLUMNS", "Column"]


class Column(NamedTuple):
    """A column's name, what it is, its unit (``1`` for none) and its type."""

    name: str
    long_name: str
    unit: str
    type: str


# Name, long name, unit, type; parted by bars.
_KEYS: Final = """
ob_time|Date and time of observation|s|char
id|station identifier|1|char
id_type|identifier type|1|char
met_domain_name|message type|1|char
version_num|midas qc version number|1|int
src_id|unique source identifier or station site number|1|int
rec_st_ind|state indicator for the record|1|int
wind_speed_unit_id|Wind speed unit code|1|char
src_opr_type|source operation type code|1|char
"""
_ELEMENTS: Final = """
wind_direction|wind direction|deg true|int
wind_speed|wind speed|knots|float
prst_wx_id|present weather code|1|int
past_wx_id_1|past weather code #1|1|int
past_wx_id_2|past weather code #2|1|int
cld_ttl_amt_id|Total cloud amount code|Oktas|int
low_cld_type_id|low cloud type code|1|int
med_cld_type_id|medium cloud type code|1|int
hi_cld_type_id|high cloud type code|1|int
cld_base_amt_id|cloud base amount code|1|int
cld_base_ht|cloud base height code|decametres|int
visibility|visibility|decametres|int
msl_pressure|mean sea level air pressure|hPa|float
"""
_LATER_ELEMENTS: Final = """
vert_vsby|vertical visibility|decametres|int
air_temperature|Air temperature|degC|float
dewpoint|Dewpoint temperature|degC|float
wetb_temp|Wetbulb temperature|degC|float
rltv_hum|Calculated relative humidity|%|float
stn_pres|Station air pressure|hPa|float
alt_pres|Altimeter pressure|hPa|float
ground_state_id|Ground state code|1|char
q10mnt_mxgst_spd|10 minute maximum gust speed|knots|int
cavok_flag|cavok flag|1|char
cs_hr_sun_dur|Campbell-stokes hour sunshine duration|hours|float
wmo_hr_sun_dur|WMO hour sunshine duration|hours|float
snow_depth|Snow depth|cm|int
"""
_RECEIPT: Final = """
meto_stmp_time|Met Office receipt stamp time|1|char
midas_stmp_etime|Elapsed time to storage in MIDAS|minutes|int
drv_hr_sun_dur|derived hour sunshine|hours|float
drv_hr_sun_dur_q|QC code - derived hour sunshine|hours|float
"""
_DESCRIBED: Final = (
    "wind_direction", "wind_speed", "prst_wx_id", "past_wx_id_1", "past_wx_id_2", "cld_amt_id", "cld_ht",
    "visibility", "msl_pressure", "air_temperature", "dewpoint", "wetb_temp", "rltv_hum", "vert_vsby", "stn_pres",
    "alt_pres", "q10mnt_mxgst_spd",
)  # fmt: skip
_CHECKED_LAST: Final = ("vert_vsby", "stn_pres", "alt_pres", "q10mnt_mxgst_spd", "cs_hr_sun_dur", "wmo_hr_sun_dur",
                        "snow_depth")  # fmt: skip


def _parse(text: str) -> list[Column]:
    return [Column(*line.split("|")) for line in text.strip().splitlines()]


def _layers() -> Iterator[Column]:
    for number in range(1, 5):
        yield Column(f"cld_amt_id_{number}", f"layer cloud amount code #{number}", "1", "char")
        yield Column(f"cloud_type_id_{number}", f"cloud type code #{number}", "1", "char")
        yield Column(f"cld_base_ht_id_{number}", f"cloud base height code #{number}", "decametres", "int")


def _columns() -> Iterator[Column]:
    elements, layers, later = _parse(_ELEMENTS), list(_layers()), _parse(_LATER_ELEMENTS)
    every = {column.name: column for column in [*elements, *layers, *later]}
    yield from [*_parse(_KEYS), *every.values()]
    # Each checked element has a flag, and some a letter that tells how the value was had.
    first = [*elements, *(every[name] for name in ("air_temperature", "dewpoint", "wetb_temp", "ground_state_id"))]
    for column in [*first, *layers, *(every[name] for name in _CHECKED_LAST)]:
        yield Column(f"{column.name}_q", f"QC code - {column.long_name}", "1", "int")
    for name in _DESCRIBED:
        described = every[name].long_name if name in every else name
        yield Column(f"{name}_j", f"Descriptor - {described}", "1", "char")
    yield from _parse(_RECEIPT)


COLUMNS: Final = tuple(_columns())
"""All columns in the order of the file."""
