from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from experiments.datasets.options import BundledOptions, DatasetOptions, SplitOptions

OPTIONS: TypeAdapter[Any] = TypeAdapter(DatasetOptions)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"source": "blobs", "n_samples": 0}, "greater than or equal to 1"),
        ({"source": "blobs", "n_samples": -5}, "greater than or equal to 1"),
        ({"source": "blobs", "n_samples": True}, "a number is needed; got true"),
        ({"source": "blobs", "n_samples": 9, "centres": 3}, "Extra inputs"),
        ({"source": "blobs", "n_samples": 9, "cluster_std": float("nan")}, "finite number"),
        ({"source": "blobs", "n_samples": 9, "levels": 1}, "greater than or equal to 2"),
        (
            {"source": "classification", "n_samples": 9, "n_informative": 1},
            "n_classes times n_clusters_per_class, 4, must be at most 2 to the power",
        ),
        (
            {"source": "classification", "n_samples": 9, "n_features": 3, "n_informative": 4},
            "n_informative must be at most n_features, 3; got 4",
        ),
        (
            {"source": "regression", "n_samples": 9, "n_features": 3},
            "n_informative must be at most n_features, 3; got 10",
        ),
        ({"source": "iris", "sample": 0}, "sample must be a number of rows, 1 or more"),
        ({"source": "iris", "sample": 1.5}, "sample must be a number of rows, 1 or more"),
        ({"source": "iris", "sample": "half"}, "or a share of them between 0 and 1; got 'half'"),
        ({"source": "iris", "sample": True}, "sample must be"),
        ({"source": "csv", "path": "a.csv", "features": []}, "at least one column"),
        ({"source": "csv", "path": "a.csv", "features": ["a", "a"]}, "'a' more than once"),
        ({"source": "csv", "path": "a.csv", "features": ["a"], "label": "a"}, "names the label"),
        ({"source": "csv"}, "Field required"),
        *(
            ({"source": "csv", "path": "a.csv", "delimiter": wrong}, told)
            for wrong, told in [
                ('"', "must not be the quotation mark"),
                ("\n", "must be one ASCII character that can be seen, or a tab"),
                ("\r", "must be one ASCII character"),
                ("\0", "must be one ASCII character"),
                ("§", "must be one ASCII character"),
                (",,", "at most 1 character"),
                ("", "at least 1 character"),
            ]
        ),
        ({"source": "blobs", "n_samples": 9, "centers": 10_001}, "less than or equal to 10000"),
        (
            {"source": "classification", "n_samples": 9, "n_informative": 20, "n_classes": 70_000},
            "less than or equal to 10000",
        ),
        ({"source": "regression", "n_samples": 9, "n_features": 10**11}, "equal to 100000"),
        ({"source": "openml"}, "exactly one of name and data_id"),
        ({"source": "openml", "name": "adult", "data_id": 3}, "exactly one of name and data_id"),
        ({"source": "openml", "data_id": 3, "version": 1}, "version has a meaning only with name"),
    ],
)
def test_a_wrong_option_is_refused_with_its_reason(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        OPTIONS.validate_python(options)


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t", " "])
def test_a_delimiter_that_can_separate_is_taken(delimiter: str) -> None:
    options = {"source": "csv", "path": "a.csv", "delimiter": delimiter}
    assert OPTIONS.validate_python(options).delimiter == delimiter


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"test_fraction": 0}, "greater than 0"),
        ({"test_fraction": 1.0}, "less than 1"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"folds": 128}, "less than or equal to 127"),
        ({"stratify": True}, "only with test_fraction or folds"),
    ],
)
def test_a_wrong_split_is_refused_with_its_reason(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        SplitOptions.model_validate(options)


def test_a_sample_keeps_whether_it_is_a_number_or_a_share() -> None:
    assert BundledOptions(source="iris", sample=1).sample == 1
    assert BundledOptions(source="iris", sample=0.5).sample == 0.5
    million = BundledOptions(source="iris", sample=1.0e6).sample
    assert isinstance(million, int)


def test_every_option_is_described() -> None:
    schema = {**OPTIONS.json_schema()["$defs"], "split": SplitOptions.model_json_schema()}
    undescribed = [
        f"{model}.{name}"
        for model, content in schema.items()
        for name, field in content["properties"].items()
        if name != "source" and "description" not in field
    ]
    assert undescribed == []
