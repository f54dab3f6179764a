"""Prepared data behind the protocol of S3, served on loopback."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engines import get_engine
from engines.errors import UnseenDataError
from engines.locations import Location
from engines.prepared import Rows, read_rows
from engines.types import Resources, Source
from experiments.datasets import prepare
from experiments.datasets.opening import open_dataset
from experiments.datasets.options import BlobsOptions, PreparedOptions, SplitOptions
from experiments.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.prepared import Prepared

SPLIT = SplitOptions(test_fraction=0.25, folds=3)
OPTIONS = BlobsOptions(n_samples=900, n_features=3, centers=3, seed=1)
REGION = "region=us-east-1"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve one bucket on a free port; credentials are in the environment, where they belong."""
    import boto3
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        serving = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        serving.start()
        host, port = serving.get_host_and_port()
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        client.close()
        yield f"endpoint_override={host}:{port}&scheme=http&{REGION}"
        serving.stop()


@pytest.fixture(scope="module")
def stored(server: str, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Prepare a dataset and copy it to the bucket."""
    return prepare(
        OPTIONS,
        SPLIT,
        label_kind="auto",
        min_row_groups=3,
        cache=tmp_path_factory.mktemp("cache"),
        storage=Location.parse(f"s3://bucket/data?{server}"),
    )


def held(name: str, data: Any) -> Rows:
    if name == "sklearn":
        rows: Rows = data.native
        return rows
    arrays = data.native
    return Rows(*(part.compute() for part in (arrays.X, arrays.y, arrays.row_id, arrays.fold)))


@pytest.mark.parametrize("name", ["sklearn", "dask"])
def test_an_engine_reads_the_very_rows(name: str, stored: Prepared, tmp_path: Path) -> None:
    workers = 1 if name == "sklearn" else 2
    granted = Resources(
        cores=2,
        memory_bytes=2 * 2**30,
        workers=workers,
        threads_per_worker=2 // workers,
        scratch=tmp_path,
    )
    opened = open_dataset(stored.address)
    gone = Location.parse(stored.address.replace("bucket/data", "bucket/nowhere"))
    with get_engine(name)(granted) as engine:
        data = engine.load(Source(opened, "train"))
        found = held(name, data)
        engine.release(data)
        from dataclasses import replace

        with pytest.raises(UnseenDataError, match="cannot see s3://bucket/nowhere/"):
            engine.load(Source(replace(opened, url=str(gone)), "train"))
    for one, other in zip(found, read_rows(stored, stored.row_groups, "train"), strict=True):
        assert np.ascontiguousarray(one).tobytes() == other.tobytes()


def test_prepared_data_is_asked_for_by_its_address(stored: Prepared) -> None:
    asked = PreparedOptions(url=stored.address)
    found = prepare(asked, None, label_kind="classes", min_row_groups=1)
    assert (found.fingerprint, found.counts) == (stored.fingerprint, stored.counts)


def test_a_bucket_that_is_not_there_is_told_in_one_sentence(server: str) -> None:
    asked = PreparedOptions(url=f"s3://no-such-bucket/data?{server}")
    with pytest.raises(RequestError, match=r"^dataset\.url: s3://no-such-bucket/data"):
        prepare(asked, None, label_kind="auto", min_row_groups=1)


@pytest.mark.usefixtures("server")
def test_a_server_that_does_not_answer_is_told_within_seconds() -> None:
    asked = PreparedOptions(
        url=f"s3://bucket/data?endpoint_override=127.0.0.1:1&scheme=http&{REGION}"
    )
    began = time.monotonic()
    with pytest.raises(RequestError, match=r"cannot be read \(OSError: .*check the address"):
        prepare(asked, None, label_kind="auto", min_row_groups=1)
    assert time.monotonic() - began < 30
