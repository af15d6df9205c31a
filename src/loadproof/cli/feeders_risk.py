"""The commands that hold feeders against their limits."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from loadproof.cli.forecasting import as_moment, open_store, take_knobs
from loadproof.cli.options import ConfigOption, DatasetOption, ProcessedRootOption, SeedOption, UseSamples
from loadproof.cli.show_risk import show_risk
from loadproof.config import ExperimentConfig, build_section
from loadproof.runner.forecasters import FORECASTERS

__all__ = ["risk_command"]

FEEDERS_ROOT: Final = Path("data/derived/feeders")
USUAL: Final = "ground_500kva"

Scale = Literal["as_reported", "mean_of_reporting"]

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


def with_risk(knobs: ExperimentConfig, **said: object) -> ExperimentConfig:
    """Return the knobs with what was said on the command line in the section on risk."""
    given = {name: value for name, value in said.items() if value is not None}
    section = build_section(type(knobs.risk), **{**knobs.risk.model_dump(), **given})
    return knobs.model_copy(update={"risk": section})


def risk_command(
    *,
    dataset: DatasetOption = "lcl",
    model: Annotated[str, typer.Option(help=f"One of {', '.join(FORECASTERS)}.")] = "persistence_ensemble",
    horizon: Annotated[int, typer.Option(min=1, max=336, help="Half hours ahead.")] = 48,
    at: AtOption = None,
    feeder_homes: FeederHomes = None,
    assets: AssetsOption = None,
    rating: RatingOption = None,
    scale: Annotated[
        Scale, typer.Option(help="ssen: the load of the smart meters that reported, or of all MPANs by their mean.")
    ] = "as_reported",
    top: Annotated[int, typer.Option(min=1, max=50, help="Rows printed; the tables hold all.")] = 10,
    config: ConfigOption = None,
    processed_root: ProcessedRootOption = None,
    output_dir: Annotated[Path, typer.Option(help="Folder of the tables.")] = FEEDERS_ROOT,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
) -> None:
    """Rank feeders and substations by the chance that a limit is exceeded, half hour by half hour.

    Example: loadproof feeders risk --dataset ssen --horizon 48 --rating ground_315kva
    """
    from loadproof.runner.feeders_risk import RiskAsked, risk

    knobs = with_risk(take_knobs(config, seed), feeder_homes=feeder_homes)
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    usual = rating if rating is not None or assets is not None else USUAL
    moment = as_moment(at) if at is not None else None
    asked = RiskAsked(model, horizon, moment, assets=assets, usual=usual, scale=scale)
    show_risk(risk(store, dataset, output_dir, config=knobs, asked=asked), top=top)
