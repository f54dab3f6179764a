"""What goes wrong when predictions are scored."""

from __future__ import annotations


class PredictionsError(ValueError):
    """The predictions of an engine cannot be scored; the message says what is wrong with them."""


class UndefinedMetricError(ArithmeticError):
    """A metric has no value on this data; the message is the reason that the reader is given."""
