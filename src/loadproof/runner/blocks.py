"""What a model learns from and is judged on: readings and weather from the store, cut into blocks of windows."""

import datetime as dt
import hashlib
import json
from typing import Any, NamedTuple

from loadproof.config import FeatureConfig, ForecastConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel
from loadproof.features.place import LONDON, Place
from loadproof.features.selection import read_panel
from loadproof.features.splits import Split, split_by_time
from loadproof.features.weather import Weather, weather_from_table
from loadproof.features.windows import Skipped, Windows, cut_windows
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["Blocks", "Surroundings", "cut_blocks", "cut_test", "data_facts", "read_all", "read_surroundings"]


class Surroundings(NamedTuple):
    """What a forecaster may know besides the readings: where the homes stand, and their weather."""

    place: Place = LONDON
    weather: Weather | None = None


class Blocks(NamedTuple):
    """The windows of each block, and how many there could not be."""

    split: Split
    skipped: Skipped


def read_surroundings(store: Store, knobs: FeatureConfig, *, seed: int) -> Surroundings:
    """Return the place, and the weather if the knobs want it.

    Raises:
        ConfigError: If they want it and none was ingested.
    """
    place = Place(knobs.nation, knobs.latitude_deg, knobs.longitude_deg)
    if knobs.weather == "none":
        return Surroundings(place)
    if (table := store.scan_weather()) is None:
        raise ConfigError(
            f"{store.weather_root}: holds no weather, and features.weather is {knobs.weather}; run 'loadproof ingest "
            "weather' first, or set features.weather to none"
        )
    error_degc = knobs.weather_error_degc if knobs.weather == "forecast" else 0.0
    weather = weather_from_table(
        table, station_id=knobs.station_id, arm=knobs.weather, error_degc=error_degc, seed=seed
    )
    return Surroundings(place, weather)


def read_all(store: Store, dataset: Dataset) -> Panel:
    """Return all readings of a dataset.

    Raises:
        SchemaError: If there are none.
    """
    panel = read_panel(store.scan_readings(dataset))
    if panel is None:
        raise SchemaError(f"{store.root}: holds no reading of {dataset}; run 'loadproof ingest {dataset}' first")
    return panel


def cut_blocks(panel: Panel, knobs: ForecastConfig, surroundings: Surroundings, *, to_judge: bool = True) -> Blocks:
    """Cut a window from each UK midnight, and split them into the blocks of the knobs.

    Raises:
        ConfigError: If the training block would be empty, or the test block where there is something to judge.
    """
    first = panel.start.astype(dt.datetime).replace(tzinfo=dt.UTC)
    windows = cut_windows(
        panel,
        context_steps=knobs.context_steps,
        horizon_steps=knobs.horizon_steps,
        origins=local_midnights(first, knobs.test_until),
        data_lag_steps=knobs.data_lag_steps,
        weather=surroundings.weather,
        place=surroundings.place,
    )
    split = split_by_time(windows, valid_from=knobs.valid_from, test_from=knobs.test_from, test_until=knobs.test_until)
    needed = [(split.train, "before valid_from")]
    needed += [(split.test, "between test_from and test_until")] if to_judge else []
    for block, name in needed:
        if not len(block):
            raise ConfigError(
                f"no window lies {name} ({knobs.valid_from}, {knobs.test_from} to {knobs.test_until}); the readings "
                f"begin on {first:%Y-%m-%d}: set the blocks inside the data"
            )
    return Blocks(split, windows.skipped)


def cut_test(panel: Panel, knobs: ForecastConfig, surroundings: Surroundings) -> Windows:
    """Cut the windows of the test block alone, as :func:`cut_blocks` does."""
    windows = cut_windows(
        panel, context_steps=knobs.context_steps, horizon_steps=knobs.horizon_steps,
        origins=local_midnights(knobs.test_from, knobs.test_until), data_lag_steps=knobs.data_lag_steps,
        weather=surroundings.weather, place=surroundings.place,
    )  # fmt: skip
    return split_by_time(
        windows, valid_from=knobs.valid_from, test_from=knobs.test_from, test_until=knobs.test_until
    ).test


def data_facts(store: Store, dataset: Dataset, *, with_weather: bool = False) -> dict[str, Any]:
    """Return whether the readings are samples, and the SHA-256 of the digests of all sources that count."""
    summary = store.read_summary(dataset) or {"sources": [], "mode": "unknown"}
    weather = (store.read_summary("weather") or {"sources": []}) if with_weather else {"sources": []}
    digests = json.dumps([source["sha256"] for source in (*summary["sources"], *weather["sources"])])
    return {"mode": summary["mode"], "data_sha256": hashlib.sha256(digests.encode()).hexdigest()}
