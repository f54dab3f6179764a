"""The ``dataset`` and ``split`` sections of a definition, as validated models.

Each field is described here once: for the YAML file, for error messages and for the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from experiments.datasets.options.fields import MOST_CLASSES
from experiments.datasets.options.generated import (
    BlobsOptions,
    ClassificationOptions,
    DrawnOptions,
    RegressionOptions,
)
from experiments.datasets.options.made import MakeBlobsOptions, MakeClassificationOptions
from experiments.datasets.options.prepared import PreparedOptions, check_location
from experiments.datasets.options.source import SourceOptions
from experiments.datasets.options.split import FoldOptions, SplitOptions
from experiments.datasets.options.tables import (
    BundledOptions,
    CsvOptions,
    OpenmlOptions,
    ParquetOptions,
)

# what is drawn page by page
GeneratedOptions = BlobsOptions | ClassificationOptions | RegressionOptions

# what has to be prepared before an engine can read it
MadeOptions = (
    GeneratedOptions
    | MakeClassificationOptions
    | MakeBlobsOptions
    | BundledOptions
    | CsvOptions
    | ParquetOptions
    | OpenmlOptions
)

DatasetOptions = Annotated[MadeOptions | PreparedOptions, Field(discriminator="source")]

__all__ = [
    "MOST_CLASSES",
    "BlobsOptions",
    "BundledOptions",
    "ClassificationOptions",
    "CsvOptions",
    "DatasetOptions",
    "DrawnOptions",
    "FoldOptions",
    "GeneratedOptions",
    "MadeOptions",
    "MakeBlobsOptions",
    "MakeClassificationOptions",
    "OpenmlOptions",
    "ParquetOptions",
    "PreparedOptions",
    "RegressionOptions",
    "SourceOptions",
    "SplitOptions",
    "check_location",
]
