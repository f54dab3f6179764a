"""What the XGBoost rooms of all engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from engines.parameters import Convert, Rename, Same

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engines.parameters import VerdictTable
    from engines.prepared import Prepared
    from engines.specs import Spec, XGBoostSpec

OBJECTIVES = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}
OBJECTIVE_WHY = (
    "XGBoost names tasks by their objective: binary:logistic, multi:softprob, reg:squarederror."
)


def objective(spec: Spec, prepared: Prepared) -> str:
    """Return XGBoost's objective for the task of a specification."""
    del prepared
    return OBJECTIVES[cast("XGBoostSpec", spec).task]


# XGBoost's three interfaces take the same parameters; an engine replaces what differs on it
VERDICTS: VerdictTable = {
    "task": Convert("objective", objective, OBJECTIVE_WHY),
    "n_estimators": Same(),
    "max_depth": Same(),
    "learning_rate": Same(),
    "min_child_weight": Same(),
    "gamma": Same(),
    "subsample": Same(),
    "colsample_bytree": Same(),
    "reg_alpha": Same(),
    "reg_lambda": Same(),
    "max_bin": Same(),
    "base_score": Same(),
    "seed": Rename("random_state"),
}


# for the engines on which several processes train one model
SUBSAMPLE_OF_WORKERS = Same(
    caveat="Each XGBoost worker draws from its own rows, so other rows are drawn than in one "
    "process."
)


def probabilities(of_classes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bring XGBoost's class probabilities to the form of `engines.types.Predictions`.

    Parameters
    ----------
    of_classes : ndarray of shape (n_rows, n_classes)
        As ``predict_proba`` returns them.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_classes), dtype float64
        The second class alone where there are two.
    """
    if of_classes.shape[1] == 2:
        return of_classes[:, 1].astype(np.float64)
    return of_classes.astype(np.float64)
