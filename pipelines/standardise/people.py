"""The one way personal numbers leave the road in clear: the rows of an expert list, for the vault and nobody else.

What the judge sees and tells of such a list are masks (``registers.py``). Once a list is accepted, its rows are taken
out of the same grids here, in the same order, as :class:`schemas.experts.PersonRow`, which stays in memory.
"""

from __future__ import annotations

import datetime as dt
import re

import numpy as np

from pipelines.batch import Recognised
from pipelines.standardise.columns import data_grid
from pipelines.standardise.registers import Fields
from pipelines.standardise.times import NOT_A_TIME
from schemas.experts import PersonRow
from schemas.identifiers import read_uscc

DAY = 86_400_000_000
EPOCH = dt.date(1970, 1, 1)
CHINA = 8 * 3_600_000_000


def people(found: tuple[Recognised, ...]) -> tuple[PersonRow, ...]:
    """Take the rows of a recognised expert list, folded, in the order of the standardised batch."""
    return tuple(row for one in found for row in _rows(one))


def _rows(found: Recognised) -> list[PersonRow]:
    grid = data_grid(found)
    fields = Fields(found, grid.columns, grid.size)

    def texts(name: str) -> list[str]:
        column = fields.column(name)
        return [column.folded[code] for code in column.codes.tolist()]

    micros, _ = fields.dates("certificate_until")
    days = [None if at == NOT_A_TIME else EPOCH + dt.timedelta(days=(at + CHINA) // DAY) for at in micros.tolist()]
    named = ("name", "identity_number", "employer", "employer_uscc", "specialty", "title", "phone", "remark")
    columns = [texts(name) for name in named]
    return [
        PersonRow(row, name, _number(identity), employer, _code(uscc), specialty, title, _number(phone), day, remark)
        for row, day, name, identity, employer, uscc, specialty, title, phone, remark in zip(
            np.asarray(grid.rows).tolist(), days, *columns, strict=True
        )
    ]


def _number(text: str) -> str:
    return re.sub(r"\s+", "", text).upper()


def _code(text: str) -> str:
    """Give what stands in the column of codes; an identity number there is nobody's employer, only its mask goes on."""
    return read_uscc(text).text
