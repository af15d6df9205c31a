"""What is known of UK-DALE's houses and meters without opening the data, and what its metadata say beside it.

Source: Jack Kelly's UK-DALE_metadata (``building*.yaml``, ``meter_devices.yaml``), release of 2017.
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import yaml

from loadproof.errors import SourceError
from loadproof.parts import open_binary

__all__ = ["HOUSES", "MODELS", "AcType", "Catalogue", "House", "Meter", "MeterModel"]

logger = logging.getLogger(__name__)

AcType = Literal["active", "apparent"]
_METADATA_BYTES: Final = 4 * 2**20  # the longest published file has 40 kB


class MeterModel(NamedTuple):
    """A kind of meter: what it measures, how often, and within which limits."""

    name: str
    ac_type: AcType
    sample_period_s: int
    max_sample_period_s: int
    limit_w: float


MODELS: Final = {
    model.name: model
    for model in (
        MeterModel("EcoManagerWholeHouseTx", "apparent", 6, 120, 25_000),
        MeterModel("CurrentCostTx", "apparent", 6, 120, 25_000),
        MeterModel("EcoManagerTxPlug", "active", 6, 120, 3_300),
        MeterModel("SoundCardPowerMeter", "active", 1, 3, 25_000),
    )
}
"""Source: ``meter_devices.yaml``. A fused British plug carries 13 A, hence the plug meter's 3,300 W."""


class House(NamedTuple):
    """A house's site meters and span. The clamp measures what the sound card measures: never add both.

    ``first`` and ``last`` are local time, as the metadata give them; ``clamps`` are sub-meters around a cable.
    """

    meters: int
    clamp: int
    sound_card: int | None
    first: str
    last: str
    clamps: frozenset[int] = frozenset()


HOUSES: Final = {
    1: House(54, 1, 54, "2012-11-09T22:28:15+00:00", "2017-04-26T18:35:53+01:00", frozenset({2, 3, 8, 25})),
    2: House(20, 1, 20, "2013-02-17T15:39:19+00:00", "2013-10-10T06:15:58+01:00"),
    3: House(5, 1, None, "2013-02-27T20:35:14+00:00", "2013-04-08T06:15:05+01:00"),
    4: House(6, 1, None, "2013-03-09T14:40:07+00:00", "2013-10-01T06:15:14+01:00"),
    5: House(26, 1, 26, "2014-06-29T17:23:48+01:00", "2014-11-13T18:00:03+00:00"),
}
"""Source: ``building1.yaml`` to ``building5.yaml``."""


@dataclass(frozen=True)
class Meter:
    """One series: whose it is and what is known of its meter. ``number`` is null for a house without meters' names."""

    house: int
    number: int | None
    is_site: bool
    model: MeterModel
    ac_type: AcType
    original_name: str | None = None
    appliances: tuple[str, ...] = ()

    @property
    def entity_id(self) -> str:
        """The house for a site meter, the house's meter for any other."""
        house = f"ukdale:house_{self.house}"
        return house if self.is_site else f"{house}:meter_{self.number}"

    @property
    def constants(self) -> dict[str, Any]:
        """What each reading says of its meter."""
        known = {"meter": self.number, "original_name": self.original_name, "appliances": list(self.appliances) or None}
        return {
            "ac_type": self.ac_type,
            "device_model": self.model.name,
            **{name: fact for name, fact in known.items() if fact is not None},
        }


@dataclass(frozen=True)
class _Stated:
    """What the files beside the data say of one meter."""

    device_model: str | None = None
    is_site: bool = False
    names: list[str] = field(default_factory=list)
    appliances: list[str] = field(default_factory=list)


class Catalogue:
    """The meters of a folder: constants, then ``metadata/building*.yaml`` and ``house_*/labels.dat`` where they lie.

    ``damaged`` are those of these files that cannot be read, and why; ``digest`` is that of all others, or ``none``.
    """

    def __init__(self, folder: Path) -> None:
        self._stated: dict[tuple[int, int], _Stated] = {}
        self.damaged: dict[str, str] = {}
        read: list[tuple[str, str]] = []
        # The metadata say more than the labels, meter by meter, so they come last.
        for pattern, parse in (("house_*/labels.dat", _read_labels), ("metadata/building*.yaml", _read_building)):
            for path in sorted(folder.glob(pattern)):
                name = path.relative_to(folder).as_posix()
                try:
                    text = _text(path)
                    self._stated.update(parse(path, text))
                except SourceError as error:
                    self.damaged[name] = str(error)
                else:
                    read.append((name, text))
        self.digest = hashlib.sha256(json.dumps(read).encode()).hexdigest()[:16] if read else "none"

    def site(self, house: int) -> House:
        """Return a house's site meters; those of a house that was never published are read from its metadata."""
        if house in HOUSES:
            return HOUSES[house]
        sites = {
            number: stated for (owner, number), stated in self._stated.items() if owner == house and stated.is_site
        }
        cards = [number for number, stated in sites.items() if stated.device_model == "SoundCardPowerMeter"]
        clamps = [number for number in sorted(sites) if number not in cards]
        return House(len(sites), clamps[0] if clamps else 1, min(cards, default=None), "", "")

    def meter(self, house: int, number: int | None, ac_type: AcType | None = None) -> Meter:
        """Return what is known of a meter.

        Args:
            house: Its house.
            number: Its number, None for a house's own series.
            ac_type: What the data's own columns say; by default what the model measures.
        """
        site = self.site(house)
        stated = self._stated.get((house, number), _Stated()) if number is not None else _Stated()
        model = MODELS.get(stated.device_model or "") or _usual_model(site, number)
        if ac_type == "apparent" and model.ac_type == "active" and number not in (site.clamp, site.sound_card):
            model = MODELS["CurrentCostTx"]  # the one sub-meter that measures apparent power
        return Meter(
            house=house,
            number=number,
            is_site=number is None or number in (site.clamp, site.sound_card),
            model=model,
            ac_type=ac_type or model.ac_type,
            original_name=" / ".join(dict.fromkeys(stated.names)) or None,
            appliances=tuple(stated.appliances),
        )


def _usual_model(site: House, number: int | None) -> MeterModel:
    if number == site.sound_card or (number is None and site.sound_card is not None):
        return MODELS["SoundCardPowerMeter"]
    if number is None or number == site.clamp:
        return MODELS["EcoManagerWholeHouseTx"]
    return MODELS["CurrentCostTx" if number in site.clamps else "EcoManagerTxPlug"]


def _read_labels(path: Path, text: str) -> dict[tuple[int, int], _Stated]:
    """Return the names in a ``labels.dat``, one ``M name`` a line."""
    house = re.fullmatch(r"house_(\d{1,3})", path.parent.name)
    found: dict[tuple[int, int], _Stated] = {}
    for number, line in enumerate(text.splitlines() if house else [], start=1):
        match = re.fullmatch(r"\s*(\d{1,3})\s+(\S.*?)\s*", line)
        if match and house:
            found[int(house[1]), int(match[1])] = _Stated(names=[match[2]])
        elif line.strip():
            logger.warning("%s, line %d: is not 'number name'; left out", path, number)
    return found


def _read_building(path: Path, text: str) -> dict[tuple[int, int], _Stated]:
    """Return the meters of a ``building*.yaml``."""
    try:
        building = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SourceError(f"{path}: is no YAML ({str(error).splitlines()[0]}); mend the file or remove it") from error
    file_number = re.fullmatch(r"building(\d{1,3})\.yaml", path.name)
    if not isinstance(building, Mapping) or not isinstance(building.get("elec_meters"), Mapping) or not file_number:
        raise SourceError(f"{path}: does not describe a building's elec_meters; mend the file or remove it")
    house = int(file_number[1])
    found = {
        (house, number): _Stated(_word(meter.get("device_model")), meter.get("site_meter") is True)
        for number, meter in building["elec_meters"].items()
        if isinstance(number, int) and isinstance(meter, Mapping)
    }
    appliances = building.get("appliances")
    for appliance in appliances if isinstance(appliances, list) else []:
        meters = appliance.get("meters") if isinstance(appliance, Mapping) else None
        for number in meters if isinstance(meters, list) else []:
            stated = found.get((house, number)) if isinstance(number, int) else None
            if stated is not None:
                stated.names.extend(filter(None, [_word(appliance.get("original_name"))]))
                stated.appliances.extend(filter(None, [_word(appliance.get("type"))]))
    return found


def _word(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _METADATA_BYTES:
            raise SourceError(f"{path}: is larger than {_METADATA_BYTES} bytes, so it is no metadata; remove it")
        with open_binary(path) as stream:
            return stream.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as UTF-8 text ({error}); mend the file or remove it") from error
