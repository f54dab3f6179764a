"""The library calls of the Dask engine, with nothing around them but a clock.

Arguments and output as in ``sklearn_fits.py`` beside this file.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Fit as often as asked on a local cluster of two processes."""
    import dask
    import dask.array as da
    import numpy as np
    import pandas as pd
    from dask.distributed import Client, LocalCluster, wait
    from dask_ml.cluster import KMeans
    from xgboost.dask import DaskXGBClassifier

    folder, workload, fits = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    dask.config.set({"distributed.scheduler.work-stealing": False})
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        table = pd.read_parquet(sorted(Path(folder).glob("*.parquet")))
        table = table[table["split"] == 0]
        half = (len(table) + 1) // 2
        y = da.from_array(table["label"].to_numpy(), chunks=half)
        features = table.drop(columns=["label", "row_id", "split", "fold"]).to_numpy()
        X = da.from_array(np.ascontiguousarray(features), chunks=(half, -1))
        X, y = client.persist([X, y])
        wait([X, y])

        seconds = []
        for _ in range(fits):
            if workload["kind"] == "kmeans":
                model = KMeans(
                    workload["n_clusters"],
                    init=np.load(workload["centers"]),
                    max_iter=workload["max_iter"],
                    tol=sys.float_info.min,
                )
                started = time.perf_counter()
                model.fit(X)
            else:
                model = DaskXGBClassifier(n_estimators=workload["n_estimators"], tree_method="hist")
                model.client = client
                started = time.perf_counter()
                model.fit(X, y)
            seconds.append(time.perf_counter() - started)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
