"""The commands that hold feeders against their limits."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from loadproof.cli.forecasting import as_moment, open_store, take_knobs
from loadproof.cli.options import ConfigOption, DatasetOption, ProcessedRootOption, SeedOption, UseSamples
from loadproof.cli.show_risk import show_headroom, show_reliability, show_risk
from loadproof.config import ExperimentConfig, build_section
from loadproof.runner.forecasters import FORECASTERS

__all__ = ["headroom_command", "reliability_command", "risk_command"]

FEEDERS_ROOT: Final = Path("data/derived/feeders")
USUAL: Final = "ground_500kva"

Scale = Literal["as_reported", "mean_of_reporting"]
Device = Literal["ev", "heat_pump"]

AtOption = Annotated[
    str | None, typer.Option(help="From this UK midnight (or instant, with Z); default: where the readings end.")
]
FeederHomes = Annotated[
    int | None, typer.Option(min=2, help="Homes of a pseudo-feeder of lcl; default: the config's, else 30.")
]
AssetsOption = Annotated[
    Path | None, typer.Option(help="CSV of ratings: entity_id, and fuse_a, cable_a, transformer_kva, homes, ...")
]
RatingOption = Annotated[
    str | None, typer.Option(help=f"Usual rating of all others; default: {USUAL}, and none with --assets.")
]
ScaleOption = Annotated[
    Scale, typer.Option(help="ssen: the load of the smart meters that reported, or of all MPANs by their mean.")
]
OutputOption = Annotated[Path, typer.Option(help="Folder of the tables.")]


def usual_rating(rating: str | None, assets: Path | None) -> str | None:
    """Return the usual rating that was named, else the default where no assets file is."""
    return rating if rating is not None or assets is not None else USUAL


def with_risk(knobs: ExperimentConfig, **said: object) -> ExperimentConfig:
    """Return the knobs with what was said on the command line in the section on risk."""
    given = {name: value for name, value in said.items() if value is not None}
    section = build_section(type(knobs.risk), **{**knobs.risk.model_dump(), **given})
    return knobs.model_copy(update={"risk": section})


def risk_command(
    *,
    dataset: DatasetOption = "lcl",
    model: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(FORECASTERS)}; default: ridge, or persistence_ensemble of few days."),
    ] = None,
    horizon: Annotated[int, typer.Option(min=1, max=336, help="Half hours ahead.")] = 48,
    at: AtOption = None,
    feeder_homes: FeederHomes = None,
    assets: AssetsOption = None,
    rating: RatingOption = None,
    scale: ScaleOption = "as_reported",
    evs: Annotated[float, typer.Option(min=0, max=1, help="What if this share of homes had an electric car?")] = 0.0,
    heat_pumps: Annotated[float, typer.Option(min=0, max=1, help="What if this share had a heat pump?")] = 0.0,
    top: Annotated[int, typer.Option(min=1, max=50, help="Rows printed; the tables hold all.")] = 10,
    config: ConfigOption = None,
    processed_root: ProcessedRootOption = None,
    output_dir: OutputOption = FEEDERS_ROOT,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
) -> None:
    """Rank feeders and substations by the chance that a limit is exceeded, half hour by half hour.

    Example: loadproof feeders risk --dataset ssen --horizon 48 --rating ground_315kva
    """
    from loadproof.runner.feeders_risk import RiskAsked, risk

    knobs = with_risk(take_knobs(config, seed), feeder_homes=feeder_homes)
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    moment = as_moment(at) if at is not None else None
    shares: dict[Device, float] = {"ev": evs, "heat_pump": heat_pumps}
    added = {device: share for device, share in shares.items() if share}
    asked = RiskAsked(
        model, horizon, moment, assets=assets, usual=usual_rating(rating, assets), scale=scale, added=added
    )
    show_risk(risk(store, dataset, output_dir, config=knobs, asked=asked), top=top)


def headroom_command(
    *,
    dataset: DatasetOption = "lcl",
    at: Annotated[
        str | None, typer.Option(help="Of the year before this UK midnight (or instant); default: until readings end.")
    ] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Whom; repeat for more. Default: all.")] = None,
    accept: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="Accepted chance per winter; default: 0.05 and 0.5.")
    ] = None,
    feeder_homes: FeederHomes = None,
    assets: AssetsOption = None,
    rating: RatingOption = None,
    scale: ScaleOption = "as_reported",
    config: ConfigOption = None,
    processed_root: ProcessedRootOption = None,
    output_dir: OutputOption = FEEDERS_ROOT,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
) -> None:
    """Tell the winter peak of a year, and how many cars and heat pumps fit before a limit is likely exceeded.

    Example: loadproof feeders headroom --dataset lcl --rating pole_200kva --accept 0.05
    """
    from loadproof.runner.feeders_headroom import HeadroomAsked, measure_headroom

    knobs = with_risk(take_knobs(config, seed), feeder_homes=feeder_homes)
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    moment = as_moment(at) if at is not None else None
    asked = HeadroomAsked(
        moment, assets=assets, usual=usual_rating(rating, assets), scale=scale, entities=tuple(entity or ()),
        accept=tuple(accept or HeadroomAsked.accept),
    )  # fmt: skip
    show_headroom(measure_headroom(store, dataset, output_dir, config=knobs, asked=asked))


def reliability_command(
    *,
    dataset: DatasetOption = "lcl",
    model: Annotated[list[str] | None, typer.Option(help="Whom to judge; default: persistence and ridge.")] = None,
    records: Annotated[Path, typer.Option(help="Folder of the record.")] = FEEDERS_ROOT,
    feeder_homes: FeederHomes = None,
    config: ConfigOption = None,
    processed_root: ProcessedRootOption = None,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
) -> None:
    """Judge on history whether the chances came true: Brier score, reliability, alarms, each beside climatology.

    Example: loadproof feeders reliability --dataset lcl --model ridge
    """
    from loadproof.runner.feeders_reliability import study_reliability

    knobs = with_risk(take_knobs(config, seed), feeder_homes=feeder_homes)
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    models = list(dict.fromkeys(model or ("persistence_ensemble", "ridge")))
    show_reliability(study_reliability(store, dataset, models, records, config=knobs))
