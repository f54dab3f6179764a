"""The searches of the catalogue written by hand with scikit-learn, with a clock around them.

Arguments: folder of the prepared dataset, name of the grid, number of searches. Prints the seconds
of each search as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from xgboost import XGBClassifier

folder, name, searches = sys.argv[1], sys.argv[2], int(sys.argv[3])
table = pd.read_parquet(sorted(Path(folder).glob("*.parquet")))
table = table[table["split"] == 0]
y = table["label"].to_numpy()
folds = PredefinedSplit(table["fold"].to_numpy())
X = np.ascontiguousarray(table.drop(columns=["label", "row_id", "split", "fold"]).to_numpy())


def clusterings(model, rows, _=None):
    """Score a clustering of held-out rows by both metrics."""
    labels = model.predict(rows)
    return {
        "silhouette": silhouette_score(rows, labels),
        "davies_bouldin": -davies_bouldin_score(rows, labels),
    }


GRIDS = {
    "kmeans-grid": GridSearchCV(
        KMeans(random_state=0),
        {
            "init": ["k-means++", "random"],
            "max_iter": [100, 200, 300],
            "n_clusters": [2, 5, 8],
            "n_init": [10, 20, 30],
        },
        scoring=clusterings,
        refit=False,
        cv=folds,
        n_jobs=2,
    ),
    "xgboost-grid": GridSearchCV(
        XGBClassifier(n_estimators=100, tree_method="hist", random_state=0, n_jobs=1),
        {
            "max_depth": [3, 4, 5],
            "learning_rate": [1.0, 0.1, 0.2],
            "subsample": [0.5, 0.7, 1.0],
        },
        scoring="accuracy",
        refit=False,
        cv=folds,
        n_jobs=2,
    ),
}

seconds = []
for _ in range(searches):
    started = time.perf_counter()
    GRIDS[name].fit(X, y)
    seconds.append(time.perf_counter() - started)
print(json.dumps(seconds))
