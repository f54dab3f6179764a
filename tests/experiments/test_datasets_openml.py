from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from engines.prepared import read_rows
from experiments.datasets import prepare
from experiments.datasets.options import OpenmlOptions
from experiments.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from engines.prepared import Prepared

ARFF = b"""@relation plants
@attribute height numeric
@attribute colour {red,green}
@attribute kind {oak,elm}
@data
1.5,red,oak
2.5,green,elm
3.5,red,oak
"""


@pytest.fixture(autouse=True)
def library_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return scikit-learn's folder of downloads, and let no request leave this machine."""
    # whoever asked for anything before has settled by which proxy
    monkeypatch.setattr(urllib.request, "_opener", None)
    for name in ("no_proxy", "NO_PROXY"):  # either would let requests pass the proxy by
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "downloads"))
    return tmp_path / "downloads" / "openml" / "openml.org"


def downloaded(folder: Path) -> None:
    """Put a small dataset, number 77, where scikit-learn keeps what it has downloaded."""
    features = [
        {
            "index": str(index),
            "name": name,
            "data_type": kind,
            "is_target": str(name == "kind").lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for index, (name, kind) in enumerate(
            [("height", "numeric"), ("colour", "nominal"), ("kind", "nominal")]
        )
    ]
    description = {
        "id": "77",
        "name": "plants",
        "description": "Trees.",
        "version": "1",
        "status": "active",
        "format": "ARFF",
        "file_id": "5",
        "url": "https://www.openml.org/data/v1/download/5/plants.arff",
        "default_target_attribute": "kind",
        "md5_checksum": hashlib.md5(ARFF, usedforsecurity=False).hexdigest(),
    }
    contents = {
        "api/v1/json/data/77": {"data_set_description": description},
        "api/v1/json/data/features/77": {"data_features": {"feature": features}},
        "api/v1/json/data/qualities/77": {"data_qualities": {"quality": []}},
        "data/v1/download/5/plants.arff": ARFF,
    }
    for name, content in contents.items():
        path = folder / f"{name}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(gzip.compress(text))


def prepared_of(tmp_path: Path, **options: Any) -> Prepared:
    return prepare(
        OpenmlOptions(**options),
        None,
        label_kind="auto",
        min_row_groups=1,
        cache=tmp_path / "cache",
    )


def test_a_dataset_brings_its_target_and_leaves_text_out(
    tmp_path: Path, library_without_network: Path
) -> None:
    downloaded(library_without_network)
    prepared = prepared_of(tmp_path, data_id=77)
    rows = read_rows(prepared, prepared.row_groups, "train")
    assert prepared.features == ("height",)
    assert rows.X.tolist() == [[1.5], [2.5], [3.5]]
    assert prepared.classes == ("elm", "oak")
    assert rows.y.tolist() == [1, 0, 1]
    assert "'colour'" in prepared.notes[0]


def test_another_column_can_be_the_label(tmp_path: Path, library_without_network: Path) -> None:
    downloaded(library_without_network)
    assert prepared_of(tmp_path, data_id=77, label="colour").classes == ("green", "red")
    with pytest.raises(RequestError, match=r"openml.org has no column 'color'.*mean 'colour'"):
        prepared_of(tmp_path, data_id=77, label="color")


@pytest.mark.parametrize("options", [{"name": "adult", "version": 2}, {"data_id": 42}])
def test_without_network_one_sentence_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    waits: list[float] = []
    here, sleep = threading.get_ident(), time.sleep

    def noted(seconds: float) -> None:
        """Note how long this thread would sleep; others are none of ours."""
        if threading.get_ident() == here:
            waits.append(seconds)
        else:
            sleep(seconds)

    monkeypatch.setattr(time, "sleep", noted)
    with pytest.raises(RequestError, match="needs the network the first time") as caught:
        prepared_of(tmp_path, **options)
    assert waits == []  # scikit-learn would try again after a second, and again
    assert "Connection refused" in str(caught.value)
    assert "\n" not in str(caught.value)
