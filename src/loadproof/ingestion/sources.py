"""Where each source is published, under which licence, and how sure we are of each address.

*Seen* means that a public program fetches that very address; nothing here was fetched while it was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["PACKAGE_ID", "SOURCES", "Downloadable", "RemoteFile", "SSENSource", "Source"]

Downloadable = Literal["lcl", "ukdale", "ssen", "weather"]


SSENSource = Literal["files", "listing", "ckan"]
"""Where SSEN's readings come from: files that lie there, the listing of daily files, or a CKAN package."""

PACKAGE_ID: Final = "ssen_smart_meter_prod_lv_feeder"
"""SSEN's package on its CKAN. Source: public clients of it."""


@dataclass(frozen=True)
class RemoteFile:
    """One file. ``name`` is ours, below the source's folder; ``size_bytes`` and ``sha256`` only where known exactly.

    ``member`` is the one file to unpack of an archive that cannot be read packed.
    """

    name: str
    url: str
    bytes_about: int
    size_bytes: int | None = None
    sha256: str | None = None
    member: str | None = None
    unpacked_bytes_about: int = 0


@dataclass(frozen=True)
class Source:
    """One dataset as its publisher offers it."""

    title: str
    folder: str
    page: str
    licence: str
    licence_url: str
    attribution: str
    files: tuple[RemoteFile, ...]
    sign_in: str = ""
    after: str = ""
    needs_token: bool = False
    token_host: str | None = None


_CC_BY: Final = ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/")
_OGL: Final = (
    "Open Government Licence v3.0",
    "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
)

# Address seen, sizes measured by others, twice each; the older form of the path had the dataset's slug for 'vqm0d'.
_LCL: Final = Source(
    "Low Carbon London: SmartMeter Energy Consumption Data in London Households (UK Power Networks)",
    "lcl",
    "https://data.london.gov.uk/dataset/smartmeter-energy-consumption-data-in-london-households-vqm0d",
    *_CC_BY,
    "UK Power Networks, Low Carbon London project, via the London Datastore",
    (
        RemoteFile(
            "Partitioned LCL Data.zip",
            "https://data.london.gov.uk/download/vqm0d/04feba67-f1a3-4563-98d0-f3071e3d56d1/Partitioned%20LCL%20Data.zip",
            bytes_about=795_722_689,
            size_bytes=795_722_689,
        ),
        RemoteFile(
            "Tariffs.xlsx",
            "https://data.london.gov.uk/download/vqm0d/14855047-44c2-4856-8a48-e5649200e6ce/Tariffs.xlsx",
            bytes_about=245_384,
            size_bytes=245_384,
        ),
    ),
    after="Acorn groups are Kaggle's alone (jeanmidev/smart-meters-in-london): put informations_households.csv beside "
    "the archive if you want them; leave the archive packed.",
)

_UKDALE_PATH: Final = "residential/EnergyConsumption/Domestic/UK-DALE-2017/UK-DALE-FULL-disaggregated"

# Address seen in 2026 without a sign-in; whether that holds is the least sure thing on this page. The sizes are rough.
_UKDALE: Final = Source(
    "UK-DALE 2017: UK Domestic Appliance-Level Electricity, disaggregated (Kelly and Knottenbelt)",
    "ukdale",
    f"https://data.ukedc.rl.ac.uk/browse/edc/efficiency/{_UKDALE_PATH}",
    *_CC_BY,
    "Kelly and Knottenbelt (2015), Scientific Data 2:150007, doi:10.1038/sdata.2015.7; UKERC Energy Data Centre",
    (
        RemoteFile(
            "ukdale.h5.zip",
            f"https://dap.ceda.ac.uk/edc/efficiency/{_UKDALE_PATH}/ukdale.h5.zip",
            bytes_about=4_000_000_000,
            member="ukdale.h5",
            unpacked_bytes_about=6_300_000_000,
        ),
    ),
    sign_in="sign-in: where a web page comes instead of the file, open the page above in a browser, register with the "
    "UKERC Energy Data Centre or CEDA (free: services.ceda.ac.uk, 'Register'), sign in, click 'ukdale.h5.zip', and "
    "unpack it so that <to>/ukdale/ukdale.h5 is there; or ukdale.zip (text), so that <to>/ukdale/house_1 is there.",
    token_host="dap.ceda.ac.uk",
)

# Addresses seen. The listing names the daily files; those are fetched by the ingest, as many as it is asked for.
_SSEN: Final = Source(
    "SSEN Distribution: smart-meter data aggregated to low-voltage feeders",
    "ssen",
    "https://data.ssen.co.uk/@ssen-distribution/ssen_smart_meter_prod_lv_feeder",
    "the one that the dataset's page states (open data)",
    "https://data.ssen.co.uk/@ssen-distribution/ssen_smart_meter_prod_lv_feeder",
    "Scottish and Southern Electricity Networks Distribution",
    (
        RemoteFile(
            "LV_FEEDER_LOOKUP.csv",
            "https://ssen-smart-meter-prod.portaljs.com/LV_FEEDER_LOOKUP/LV_FEEDER_LOOKUP.csv",
            bytes_about=60_000_000,
        ),
        RemoteFile(
            "usage_listing.json",
            "https://ssen-smart-meter-prod.datopian.workers.dev/LV_FEEDER_USAGE/",
            bytes_about=400_000,
        ),
    ),
    after="A day of readings takes 0.8 GB: 'loadproof ingest ssen --source listing --since DATE --until DATE' fetches "
    "the days it needs. SSEN's hosts may answer from British addresses only.",
)

_KEW: Final = "greater-london/00723_kew-gardens/qc-version-1"
_MIDAS: Final = "midas-open_uk-hourly-weather-obs_dv-202507_greater-london_00723_kew-gardens_qcv-1"

# The pattern is seen for other stations of this version, and this station in others. Kew lies among the London homes.
_WEATHER: Final = Source(
    "Met Office MIDAS Open: UK hourly weather observations, Kew Gardens 2011 to 2014",
    "weather",
    "https://catalogue.ceda.ac.uk/uuid/dbd451271eb04662beade68da43546e1/",
    *_OGL,
    "Met Office MIDAS Open: UK Land Surface Stations Data, NERC EDS Centre for Environmental Data Analysis",
    tuple(
        RemoteFile(
            f"{_MIDAS}_{year}.csv",
            "https://dap.ceda.ac.uk/badc/ukmo-midas-open/data/uk-hourly-weather-obs/dataset-version-202507/"
            f"{_KEW}/{_MIDAS}_{year}.csv",
            bytes_about=3_100_000,
        )
        for year in range(2011, 2015)
    ),
    sign_in="sign-in: register with CEDA (free: services.ceda.ac.uk, 'Register'), sign in, open 'Access token' under "
    "your account, make one (it lasts three days) and set CEDA_TOKEN to it; or open "
    "data.ceda.ac.uk/badc/ukmo-midas-open/data/uk-hourly-weather-obs in the browser, choose the newest version, "
    "county, station and 'qc-version-1', and put the years' CSV files into <to>/weather.",
    needs_token=True,
    token_host="dap.ceda.ac.uk",
)

SOURCES: Final[Mapping[Downloadable, Source]] = {
    "lcl": _LCL,
    "ukdale": _UKDALE,
    "ssen": _SSEN,
    "weather": _WEATHER,
}
