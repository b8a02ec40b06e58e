"""Units: from the one written to the one of the shared tables, by our own table of factors.

Mixing ratios (ppb, ppm) become concentrations only with a recorded reference state; scales that do not convert are
refused, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.standardise.results import read_number
from schemas.files import fold
from schemas.loaders import Parameter, conversion, find_unit

GAS_CONSTANT = 8.314462618
"""J/(mol·K), CODATA 2018."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """``canonical = value * factor + offset``; ``status`` is ``""``, ``unknown``, ``inconvertible`` or ``needs-state``."""

    unit: str
    factor: float
    offset: float
    status: str

    @property
    def plain(self) -> bool:
        """Nothing changes."""
        return self.status == "" and self.factor == 1.0 and self.offset == 0.0

    def apply(self, value: float) -> float:
        """Convert one value, to 15 significant digits so that 153.8 ng/g is 0.1538 mg/kg."""
        return float(f"{value * self.factor + self.offset:.15g}")

    def undo(self, value: float) -> float:
        """Convert one value back, from the canonical unit to the one written."""
        return float(f"{(value - self.offset) / self.factor:.15g}")


@dataclass(frozen=True, slots=True)
class GasState:
    """Temperature and pressure to which a concentration in air refers."""

    temperature_k: float
    pressure_kpa: float = 101.325


def read_state(text: str) -> GasState | None:
    """Read a reference state as the tables write it; ``actual`` and a blank name no state.

    Examples
    --------
    >>> read_state("298.15K"), read_state("actual")
    (GasState(temperature_k=298.15, pressure_kpa=101.325), None)
    """
    number = read_number(text[:-1]) if text.endswith("K") else None
    return GasState(number) if number else None


def state_factor(old: GasState, new: GasState) -> float:
    """Give the factor from a concentration at one state to that at another.

    A given mass fills more room when warm and less under pressure. GB 3095-2012 says 273 K, not 273.15.

    Examples
    --------
    >>> round(100 * state_factor(GasState(273), GasState(298.15)), 4)
    91.5646
    """
    return old.temperature_k / new.temperature_k * new.pressure_kpa / old.pressure_kpa


def mixing_ratio_factor(molar_mass: float, state: GasState) -> float:
    """Give the factor from ppb to μg/m³ (and from ppm to mg/m³) of a gas at a state.

    Examples
    --------
    >>> round(10 * mixing_ratio_factor(64.06, GasState(298.15)), 4)
    26.1839
    """
    return molar_mass / molar_volume(state.temperature_k, state.pressure_kpa)


def molar_volume(temperature_k: float, pressure_kpa: float = 101.325) -> float:
    """Litres per mole of an ideal gas.

    Examples
    --------
    >>> round(molar_volume(298.15), 4)
    24.4654
    """
    return GAS_CONSTANT * temperature_k / pressure_kpa


def resolve(parameter: Parameter, written: str, reference_state: str = "") -> Conversion:
    """Find the way from a unit as written to the parameter's own.

    Parameters
    ----------
    parameter : Parameter
        Whose canonical unit is meant.
    written : str
        Unit as it stands in the header, the unit column or the cell.
    reference_state : str
        ``"298.15K"`` or ``"273K"`` where the layout records it; needed for ppb and ppm.
    """
    unit = find_unit(written)
    if unit is None or (not fold(written) and parameter.unit not in ("-", "1")):
        return Conversion(written, 1.0, 0.0, "unknown")
    way = conversion(parameter, unit)
    if way is not None:
        return Conversion(unit.unit, way[0], way[1], "")
    if unit.dimension == "mixing-ratio" and unit.unit in parameter.state_factors:
        state = read_state(reference_state)
        if state is None or parameter.state_temperature is None:
            return Conversion(unit.unit, 1.0, 0.0, "needs-state")
        tabled = GasState(parameter.state_temperature)
        factor = parameter.state_factors[unit.unit] * (1.0 if state == tabled else state_factor(tabled, state))
        return Conversion(unit.unit, factor, 0.0, "")
    return Conversion(unit.unit, 1.0, 0.0, "inconvertible")
