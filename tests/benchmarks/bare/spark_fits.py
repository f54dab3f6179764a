"""The library calls of the Spark engine, with nothing around them but a clock.

Arguments and output as in ``sklearn_fits.py`` beside this file.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql.functions import array, col
from xgboost.spark import SparkXGBClassifier

folder, workload, fits = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.memory", "2g")
    .config("spark.sql.execution.arrow.pyspark.enabled", "true")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
table = spark.read.parquet(f"{folder}/*.parquet").where("split = 0")
features = [name for name in table.columns if name not in ("label", "row_id", "split", "fold")]
table = table.repartition(2, col("row_id")).cache()
table.write.format("noop").mode("overwrite").save()

seconds = []
for _ in range(fits):
    if workload["kind"] == "kmeans":
        jvm, gateway = spark._jvm, spark.sparkContext._gateway
        # the form of the data as in the engine: columns are cached, and one array is made of them
        vectors = table.withColumn("features", array(*features))
        rows = jvm.org.apache.spark.ml.util.DatasetUtils.columnToOldVector(vectors._jdf, "features")
        centers = gateway.jvm.java.util.ArrayList()
        make = jvm.org.apache.spark.mllib.linalg.Vectors
        for center in np.load(workload["centers"]):
            values = gateway.new_array(gateway.jvm.double, len(center))
            for place, value in enumerate(center):
                values[place] = float(value)
            centers.add(make.dense(values))
        clustering = jvm.org.apache.spark.mllib.clustering
        k_means = clustering.KMeans().setK(workload["n_clusters"])
        k_means = k_means.setMaxIterations(workload["max_iter"]).setEpsilon(0.0)
        k_means = k_means.setInitialModel(clustering.KMeansModel(centers))
        started = time.perf_counter()
        k_means.run(rows)
    else:
        model = SparkXGBClassifier(
            features_col=features,
            label_col="label",
            n_estimators=workload["n_estimators"],
            tree_method="hist",
            num_workers=2,
        )
        started = time.perf_counter()
        model.fit(table)
    seconds.append(time.perf_counter() - started)
spark.stop()
print(json.dumps(seconds))
