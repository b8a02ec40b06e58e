"""Nights are tried in homes like those of the invariants: their makers of homes and readers are used here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "invariants"))
