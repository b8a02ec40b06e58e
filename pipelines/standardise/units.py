"""Units: from the one written to the one of the shared tables, by our own table of factors.

Mixing ratios (ppb, ppm) become concentrations only with a recorded reference state; scales that do not convert are
refused, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        if reference_state == f"{parameter.state_temperature:g}K":
            return Conversion(unit.unit, parameter.state_factors[unit.unit], 0.0, "")
        return Conversion(unit.unit, 1.0, 0.0, "needs-state")
    return Conversion(unit.unit, 1.0, 0.0, "inconvertible")
