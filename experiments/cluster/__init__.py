"""Clusters of Dask and Spark on this machine: start them, look at them, stop them."""

from __future__ import annotations

from experiments.cluster.look import ClusterStatus, PartStatus, status
from experiments.cluster.request import ClusterRequest
from experiments.cluster.start import up
from experiments.cluster.state import Cluster, find
from experiments.cluster.stop import Stopped, down, down_all

__all__ = [
    "Cluster",
    "ClusterRequest",
    "ClusterStatus",
    "PartStatus",
    "Stopped",
    "down",
    "down_all",
    "find",
    "status",
    "up",
]
