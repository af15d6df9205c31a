"""The words of the feature table: each column's unit, meaning and kind, in the order of the columns."""

from typing import Final, Literal, NamedTuple, TypeAlias

from loadproof.features.weather import HEATING_BASE_DEGC

__all__ = ["FEATURES", "Feature", "Kind", "is_known_at_t0"]

Kind: TypeAlias = Literal["calendar", "readings", "weather", "forecast"]
"""Where a column comes from: the calendar, the home's readings or the weather observed before ``t0``, all known then;
or the weather after it, which would have to be a forecast."""


class Feature(NamedTuple):
    """One column of the feature table."""

    unit: str
    meaning: str
    kind: Kind


_CALENDAR: Final = {
    "step": ("steps", "Steps after t0, 0 for the first"),
    "local_half_hour": ("half hours", "Half hour of the UK local day, 0 to 47"),
    "local_weekday": ("days", "UK local weekday, 0 (Monday) to 6"),
    "bank_holiday": ("0 or 1", "Whether the local date is a holiday of the nation"),
    "working_day": ("0 or 1", "Whether the local date is Monday to Friday and no holiday"),
    "working_day_next": ("0 or 1", "Whether the next local date is a working day"),
    "clock_change": ("0 or 1", "Whether the local date has 23 or 25 hours"),
    "solar_elevation_deg": ("deg", "Height of the sun above the horizon in the middle of the step"),
    "day_of_year_sin": ("ratio", "Sine of the date's place in the year"),
    "day_of_year_cos": ("ratio", "Cosine of the date's place in the year"),
}

_DAYS: Final = {f"day_{day}_kwh": f"Same half hour, {day} published day(s) back" for day in range(1, 8)}
_WEEKS: Final = {
    f"week_{week}_kwh": f"Same half hour and weekday, {week} published week(s) back" for week in range(1, 5)
}

_LAGS_KWH: Final = {
    **_DAYS,
    **_WEEKS,
    "weeks_mean_kwh": "Mean of the same half hour and weekday over 4 weeks",
    "days_7_mean_kwh": "Mean of the same half hour over 7 published days",
    "days_7_std_kwh": "Standard deviation of the same half hour over 7 published days",
    "days_7_min_kwh": "Least of the same half hour over 7 published days",
    "days_7_median_kwh": "Median of the same half hour over 7 published days",
    "days_7_max_kwh": "Greatest of the same half hour over 7 published days",
    "days_28_mean_kwh": "Mean of the same half hour over 28 published days",
    "days_28_std_kwh": "Standard deviation of the same half hour over 28 published days",
    "days_28_q10_kwh": "10 % quantile of the same half hour over 28 published days",
    "days_28_q25_kwh": "25 % quantile of the same half hour over 28 published days",
    "days_28_median_kwh": "Median of the same half hour over 28 published days",
    "days_28_q75_kwh": "75 % quantile of the same half hour over 28 published days",
    "days_28_q90_kwh": "90 % quantile of the same half hour over 28 published days",
    "days_28_max_kwh": "Greatest of the same half hour over 28 published days",
    "days_faded_mean_kwh": "Mean over 28 published days in which a day weighs 0.85 of the one after it",
    "same_kind_mean_kwh": "Mean over those of 28 published days that are working days as the step's, or not as it",
    "same_kind_median_kwh": "Median over the same days",
    "around_7_q10_kwh": "10 % quantile over 7 published days of the same half hour and the one on either side",
    "around_7_median_kwh": "Median over the same",
    "around_7_q90_kwh": "90 % quantile over the same",
    "around_7_mean_kwh": "Mean over 7 published days of the same half hour and two on either side",
    "around_7_std_kwh": "Standard deviation over the same",
    "day_1_before_kwh": "The half hour before the same one, on the latest published day",
    "day_1_after_kwh": "The half hour after the same one, on the latest published day",
    "day_1_around_mean_kwh": "Mean of the same half hour and two on either side, on the latest published day",
}

_LEVELS_KWH: Final = {
    "last_kwh": "The last reading published",
    "last_3h_mean_kwh": "Mean of the last 3 published hours",
    "last_6h_mean_kwh": "Mean of the last 6 published hours",
    "last_24h_mean_kwh": "Mean of the last 24 published hours",
    **{f"level_day_{day}_kwh": f"Mean of the 24 h that ended {24 * day - 24} h before publication ended"
       for day in range(2, 8)},
    "level_week_kwh": "Mean of the last 7 published days",
    "level_context_kwh": "Mean of all that is published",
    "week_std_kwh": "Standard deviation of the half hours of the last 7 published days",
    "daily_std_kwh": "Standard deviation of the daily means of the last 7 published days",
    "week_base_kwh": "10 % quantile of the half hours of the last 7 published days",
    "week_median_kwh": "Median of the half hours of the last 7 published days",
    "week_peak_kwh": "95 % quantile of the half hours of the last 7 published days",
    "scale_kwh": "Upper quartile of the daily means, what a home uses when it is lived in; at least 0.001",
}  # fmt: skip

_LEVELS_OTHER: Final = {
    "last_age_hours": ("h", "Time from the last reading to the end of publication"),
    "known_share": ("ratio", "Share of the published context that is known"),
    "week_known_share": ("ratio", "Share of the last 7 published days that is known"),
    "week_to_context_ratio": ("ratio", "Last 7 days over all that is published"),
    "day_to_week_ratio": ("ratio", "Last 24 h over the last 7 days"),
    "last_6h_to_usual_ratio": ("ratio", "Last 6 h over the same hours of the 7 days before"),
    "day_to_day_change_ratio": ("ratio", "Mean absolute change from one day to the next, over the level of the week"),
}

_WEATHER: Final = {
    "temp_now_degc": "Temperature last observed before t0",
    "temp_mean_24h_degc": "Mean temperature of the 24 h before t0",
    "temp_mean_7d_degc": "Mean temperature of the 7 days before t0",
    "temp_lag_24h_degc": "Temperature at the same time of the latest day that was observed before t0",
}


def _ahead(arm: str, source: str) -> dict[str, Feature]:
    base = f"Degrees below {HEATING_BASE_DEGC}, 0 above, times half an hour"
    return {
        f"temp_{arm}_degc": Feature("degC", f"Temperature at the step, {source}", "forecast"),
        f"temp_{arm}_change_degc": Feature("degC", f"The same less temp_mean_7d_degc, {source}", "forecast"),
        f"heating_{arm}_degc_half_hours": Feature("degC half hours", f"{base}, {source}", "forecast"),
    }


FEATURES: Final[dict[str, Feature]] = {
    **{name: Feature(unit, meaning, "calendar") for name, (unit, meaning) in _CALENDAR.items()},
    "days_back": Feature("days", "How many days before the step day_1 is", "readings"),
    "days_28_known_share": Feature("ratio", "Share of 28 published days on which the half hour is known", "readings"),
    **{name: Feature("kWh per step", meaning, "readings") for name, meaning in {**_LAGS_KWH, **_LEVELS_KWH}.items()},
    **{name: Feature(unit, meaning, "readings") for name, (unit, meaning) in _LEVELS_OTHER.items()},
    **{name: Feature("degC", meaning, "weather") for name, meaning in _WEATHER.items()},
    **_ahead("forecast", "as a simulated forecast says at t0"),
    **_ahead("perfect", "as it really came: known to nobody at t0"),
}
"""Every column that a feature table can have, by name."""


def is_known_at_t0(name: str) -> bool:
    """Return whether a column tells what was known at ``t0``, and not what a forecast would have to say."""
    return FEATURES[name].kind != "forecast"
