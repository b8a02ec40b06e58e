"""What is measured, never a timed test: ``python -m benchmarks``."""
