"""Which rows are held out, and in which folds the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from experiments.datasets.options.fields import Options, Seed, refuse_boolean


class SplitOptions(Options):
    """Which rows are held out, and the folds among the others."""

    test_fraction: Annotated[float, BeforeValidator(refuse_boolean), Field(gt=0, lt=1)] | None = (
        Field(None, description="Share of the rows held out for scoring; none when not given.")
    )
    seed: Seed = Field(0, description="Seed of the split and of the folds.")
    stratify: bool = Field(
        default=False, description="Keep the shares of the classes in every part."
    )
    folds: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=2, le=127)] | None = Field(
        None,
        description="Number of folds among the training rows, written to the data as a column; "
        "none when not given. A search uses them, and nothing else does.",
    )

    @model_validator(mode="after")
    def _something_is_stratified(self) -> Self:
        if self.stratify and self.test_fraction is None and self.folds is None:
            raise ValueError("stratify has a meaning only with test_fraction or folds")
        return self


@dataclass(frozen=True)
class FoldOptions:
    """Folds among the training rows, dealt out as scikit-learn does over them in order.

    Parameters
    ----------
    n_folds : int
        How many, from 2 to 127.
    shuffle : bool
        Whether rows are shuffled before they are dealt out.
    seed : int
        Seed of the shuffle; not read without.
    stratify : bool or None
        Whether every fold keeps the shares of the classes; None where the label is classes, as
        scikit-learn does for a classifier.
    """

    n_folds: int
    shuffle: bool = False
    seed: int = 0
    stratify: bool | None = False
