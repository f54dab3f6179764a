"""What is asked: an experiment's YAML file, read, validated and explained.

Everything that is wrong with a request is found here, before any engine starts, and told as one
sentence with the file, the line, the key and what was expected.
"""

from __future__ import annotations

from experiments.definition.catalogue import catalogue_names
from experiments.definition.engines import (
    ClusterOptions,
    DaskOptions,
    EngineOptions,
    EnginesOptions,
    SklearnOptions,
    SparkOptions,
)
from experiments.definition.host import check_host, granted
from experiments.definition.loading import load_experiment
from experiments.definition.models import Experiment, MeasureOptions, ResourceOptions
from experiments.definition.schema import experiment_schema

__all__ = [
    "ClusterOptions",
    "DaskOptions",
    "EngineOptions",
    "EnginesOptions",
    "Experiment",
    "MeasureOptions",
    "ResourceOptions",
    "SklearnOptions",
    "SparkOptions",
    "catalogue_names",
    "check_host",
    "experiment_schema",
    "granted",
    "load_experiment",
]
