"""The words of the house: what a reading, a forecast, an alert and a metric are, in units, said once.

``ts_utc`` is the *start* of its interval, UTC. ``energy_kwh`` is active energy imported from the network
in that interval: kWh, never kW, never negative. A missing half hour is an absent row.
"""

import datetime as dt
import re
from typing import Annotated, Final, Literal, NamedTuple, get_args

import polars as pl
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

__all__ = [
    "ALERTS",
    "CANDIDATES",
    "DATASETS",
    "ENERGY_LIMIT_KWH",
    "FIRST_TS_UTC",
    "FORECASTS",
    "INTERVALS_MINS",
    "LAST_TS_UTC",
    "LEVELS",
    "METRICS",
    "NETWORK",
    "READINGS",
    "REJECTED",
    "RISK",
    "RISK_STEPS",
    "SCORES",
    "WEATHER",
    "Dataset",
    "DatasetWords",
    "EnergyReading",
    "Ingested",
    "Reason",
]

Dataset = Literal["lcl", "ukdale", "ssen"]

Ingested = Dataset | Literal["weather"]
"""What an ingest can bring in: the datasets of readings, and the weather beside them."""

LEVELS: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Quantile levels of every forecast; symmetric, so that they hold the 50, 80 and 90 % bands."""

INTERVALS_MINS: Final = (1, 5, 10, 15, 30, 60)

# Fixed dates and not "now": a file that was valid when written stays valid, and tests need no clock.
FIRST_TS_UTC: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
LAST_TS_UTC: Final = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)

ENERGY_LIMIT_KWH: Final = 2**31 / 1000
"""One interval's energy from here on is a register overflow (2^31 Wh), not a load.

Source: 32-bit sentinels in SSEN's published files. What is merely implausible stays, for the detectors to find.
"""


class DatasetWords(NamedTuple):
    """What a dataset is called, what its entities are called, and how their names are formed."""

    name: str
    entities: str
    entity_pattern: str


DATASETS: Final[dict[Dataset, DatasetWords]] = {
    "lcl": DatasetWords("Low Carbon London", "homes", r"^lcl:MAC[0-9]{6}$"),
    "ukdale": DatasetWords("UK-DALE", "meters", r"^ukdale:house_[0-9]{1,3}(:meter_[0-9]{1,3})?$"),
    "ssen": DatasetWords("SSEN low-voltage feeders", "feeders", r"^ssen:[0-9]{12}$"),
}

Reason = Literal[
    "null_off_grid",
    "null_value",
    "fields_count",
    "entity_unknown",
    "ts_unreadable",
    "ts_out_of_range",
    "ts_off_grid",
    "ts_out_of_order",
    "value_unreadable",
    "value_not_finite",
    "value_negative",
    "value_above_limit",
    "value_sentinel",
    "duplicate",
    "conflict",
    "low_coverage",
    "text_unreadable",
    "superseded",
    "record_deleted",
    "qc_suspect",
    "value_out_of_range",
]
"""Why a row was set aside. One list for all sources; ``docs/data-sources.md`` explains each."""

_UTC_US: Final = pl.Datetime("us", "UTC")

READINGS: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "ts_utc": _UTC_US,
        "interval_mins": pl.Int16(),
        "energy_kwh": pl.Float32(),
        "source": pl.String(),
        "extras": pl.String(),
    }
)
"""Readings at rest, below ``dataset=<d>/month=YYYY-MM/``; the two partition keys are never columns inside."""

CANDIDATES: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "ts_utc": _UTC_US,
        "interval_mins": pl.Int16(),
        "energy_kwh": pl.Float64(),
        "line": pl.UInt32(),
        "fault": pl.String(),
    }
)
"""What a parser hands to :func:`~loadproof.checking.check_readings`: null where it could not read, ``fault`` where it
knows why."""

REJECTED: Final = pl.Schema({"file": pl.String(), "line": pl.UInt32(), "reason": pl.String(), "raw": pl.String()})

FORECASTS: Final = pl.Schema(
    {
        "model": pl.String(),
        "entity_id": pl.String(),
        "t0_utc": _UTC_US,
        "ts_utc": _UTC_US,
        "level": pl.Float64(),
        "energy_kwh": pl.Float32(),
        "how": pl.String(),
    }
)
"""``level`` is the quantile level, null for the mean; ``how`` names a fallback, null for the plain way."""

SCORES: Final = pl.Schema(
    {
        "detector": pl.String(),
        "entity_id": pl.String(),
        "ts_utc": _UTC_US,
        "score": pl.Float64(),
        "p_value": pl.Float64(),
        "kind": pl.String(),
    }
)
"""``kind`` is what the detector takes the reading for, null for no opinion."""

ALERTS: Final = pl.Schema(
    {
        "detector": pl.String(),
        "entity_id": pl.String(),
        "start_utc": _UTC_US,
        "end_utc": _UTC_US,
        "kind": pl.String(),
        "severity": pl.Float64(),
        "expected_low_kwh": pl.Float64(),
        "expected_high_kwh": pl.Float64(),
        "energy_kwh": pl.Float64(),
        "sentence": pl.String(),
    }
)

METRICS: Final = pl.Schema(
    {
        "subject": pl.String(),
        "dataset": pl.String(),
        "level_of_aggregation": pl.String(),
        "entity_id": pl.String(),
        "slice": pl.String(),
        "metric": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "n": pl.Int64(),
        "unit": pl.String(),
    }
)
"""``entity_id`` null means all; ``low`` and ``high`` are a 95 % interval, null where none was made."""

RISK: Final = pl.Schema(
    {
        "rank": pl.Int32(),
        "entity_id": pl.String(),
        "level": pl.String(),
        "limit": pl.String(),
        "limit_kwh": pl.Float64(),
        "source": pl.String(),
        "probability": pl.Float64(),
        "probability_utc": _UTC_US,
        "any_low": pl.Float64(),
        "any_high": pl.Float64(),
        "expected_excess_kwh": pl.Float64(),
        "peak_utc": _UTC_US,
        "peak_kwh": pl.Float64(),
        "headroom_95_kwh": pl.Float64(),
        "headroom_utc": _UTC_US,
        "model": pl.String(),
        "t0_utc": _UTC_US,
    }
)
"""One row an entity and limit, worst first. ``probability`` is that of its likeliest half hour, which starts at
``probability_utc``; that of any half hour lies between ``any_low`` and ``any_high``, equal where past days told it.
``expected_excess_kwh`` is over the whole horizon, ``peak_kwh`` the median in the half hour of the likely peak, and
``headroom_95_kwh`` the least of limit less 95 % quantile (negative: the limit is passed)."""

RISK_STEPS: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "limit": pl.String(),
        "ts_utc": _UTC_US,
        "probability": pl.Float32(),
        "expected_excess_kwh": pl.Float32(),
        "headroom_95_kwh": pl.Float32(),
    }
)
"""The same per half hour."""

NETWORK: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "primary_substation_id": pl.String(),
        "primary_substation_name": pl.String(),
        "hv_feeder_id": pl.String(),
        "hv_feeder_name": pl.String(),
        "secondary_substation_id": pl.String(),
        "secondary_substation_name": pl.String(),
        "lv_feeder_id": pl.String(),
        "lv_feeder_name": pl.String(),
        "total_mpan_count": pl.Int32(),
        "postcodes": pl.List(pl.String()),
    }
)
"""One row a feeder. An id is unique only below the levels before it; MPANs are all supplies, metered smartly or not."""

WEATHER: Final = pl.Schema(
    {
        "station_id": pl.String(),
        "ts_utc": _UTC_US,
        "temperature_degc": pl.Float64(),
        "dewpoint_degc": pl.Float64(),
        "relative_humidity_pct": pl.Float64(),
        "wind_speed_m_per_s": pl.Float64(),
        "wind_direction_deg": pl.Float64(),
        "pressure_hpa": pl.Float64(),
        "cloud_oktas": pl.Float64(),
        "sunshine_hours": pl.Float64(),
        "source": pl.String(),
    }
)
"""One row a station and full hour. ``ts_utc`` is the *moment* of the observation and no interval; only
``sunshine_hours`` covers time: the hour that ends there. ``pressure_hpa`` is at mean sea level, a wind from the north
is 360 and calm is 0. Null is missing, never filled."""


def _to_utc(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC)


class EnergyReading(BaseModel):
    """One interval's energy of one entity: the definition that the column rules below repeat for the bulk path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Dataset
    entity_id: str
    ts_utc: Annotated[AwareDatetime, AfterValidator(_to_utc)] = Field(description="Start of the interval, UTC")
    interval_mins: Literal[1, 5, 10, 15, 30, 60]
    energy_kwh: float = Field(ge=0, lt=ENERGY_LIMIT_KWH, allow_inf_nan=False, description="Energy in the interval, kWh")
    source: str = Field(min_length=1, description="The file, archive member or resource that the row came from")
    extras: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rules_across_fields(self) -> "EnergyReading":
        if not re.fullmatch(DATASETS[self.dataset].entity_pattern, self.entity_id):
            raise ValueError(f"entity_id {self.entity_id!r} does not match {DATASETS[self.dataset].entity_pattern}")
        if not FIRST_TS_UTC <= self.ts_utc < LAST_TS_UTC:
            raise ValueError(f"ts_utc {self.ts_utc} lies outside {FIRST_TS_UTC:%Y} to {LAST_TS_UTC:%Y}")
        since_midnight = dt.timedelta(hours=self.ts_utc.hour, minutes=self.ts_utc.minute, seconds=self.ts_utc.second)
        since_midnight += dt.timedelta(microseconds=self.ts_utc.microsecond)
        if since_midnight % dt.timedelta(minutes=self.interval_mins):
            raise ValueError(f"ts_utc {self.ts_utc} is not a multiple of {self.interval_mins} minutes")
        return self


assert set(DATASETS) == set(get_args(Dataset))
