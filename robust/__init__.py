"""Robustness evaluation and promotion decisions for object detectors."""

__version__ = "0.1.0"
