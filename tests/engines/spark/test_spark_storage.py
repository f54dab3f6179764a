"""What a URL says behind its ?, as Spark's own readers are told it."""

from __future__ import annotations

import pytest

from engines.locations import Location
from engines.spark.storage import options


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/folder", {}),
        ("s3://b/x", {}),
        ("s3://b/x?scheme=http", {"fs.s3a.connection.ssl.enabled": "false"}),
        (
            "s3://b/x?endpoint_override=h:1&scheme=http&region=r",
            {
                "fs.s3a.path.style.access": "true",
                "fs.s3a.endpoint": "http://h:1",
                "fs.s3a.endpoint.region": "r",
            },
        ),
        (
            "gs://b/x?endpoint_override=h:1&project_id=p&retry_limit_seconds=5",
            {"fs.gs.storage.root.url": "https://h:1", "fs.gs.project.id": "p"},
        ),
        ("abfs://c@account.dfs.core.windows.net/x?credential_kind=cli", {}),
    ],
)
def test_spark_is_told_what_the_address_says(address: str, told: dict[str, str]) -> None:
    assert options(Location.parse(address)) == told
