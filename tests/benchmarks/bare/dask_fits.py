"""The library calls of the Dask engine, with nothing around them but a clock.

Arguments and output as in ``sklearn_fits.py`` beside this file.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Fit as often as asked on a local cluster of two processes."""
    import dask
    import dask.dataframe as dd
    import numpy as np
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
        table = dd.read_parquet(folder, filters=[("split", "==", 0)])
        table = table.repartition(npartitions=2)
        y = table["label"].to_dask_array(lengths=True)
        X = table.drop(columns=["label", "row_id", "split", "fold"]).to_dask_array(lengths=True)
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
