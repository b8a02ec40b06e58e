"""Intake: keep what was sent, recognise what it is, and read it into grids of text in a limited child process."""

from pipelines.intake.read import Reader, unpack

__all__ = ["Reader", "unpack"]
