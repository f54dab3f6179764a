"""The library calls of the scikit-learn engine, with nothing around them but a clock.

Arguments: folder of the prepared dataset, workload as JSON, number of fits. Prints the seconds of
each fit as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from xgboost import XGBClassifier

folder, workload, fits = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
table = pd.read_parquet(sorted(Path(folder).glob("*.parquet")))
table = table[table["split"] == 0]
y = table["label"].to_numpy()
X = np.ascontiguousarray(table.drop(columns=["label", "row_id", "split", "fold"]).to_numpy())

seconds = []
for _ in range(fits):
    if workload["kind"] == "kmeans":
        model = KMeans(
            workload["n_clusters"],
            init=np.load(workload["centers"]),
            max_iter=workload["max_iter"],
            tol=workload["tol"],
            n_init=1,
        )
        started = time.perf_counter()
        model.fit(X)
    else:
        model = XGBClassifier(n_estimators=workload["n_estimators"], tree_method="hist", n_jobs=2)
        started = time.perf_counter()
        model.fit(X, y)
    seconds.append(time.perf_counter() - started)
print(json.dumps(seconds))
