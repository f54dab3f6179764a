from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.definition.units import (
    DURATION_PATTERN,
    LONGEST_S,
    SIZE_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (1, 1),
        ("1 B", 1),
        ("1 KB", 1000),
        ("500 MB", 500_000_000),
        ("2 GB", 2 * 1000**3),
        ("1 TB", 1000**4),
        ("1 KiB", 1024),
        ("512 MiB", 512 * 1024**2),
        ("4 GiB", 4 * 1024**3),
        ("1 TiB", 1024**4),
        ("4GiB", 4 * 1024**3),
        ("4 gib", 4 * 1024**3),
        ("1.5 KiB", 1536),
        ("0.1 GB", 100_000_000),
        ("2.5 B", 2),
    ],
)
def test_a_size_is_a_power_of_1000_or_with_an_i_of_1024(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *(0, -1, 1.5, True, None, [], "", "4", "4 G", "4 Gi", "GiB", "-4 GiB", "0 MB", "0.1 B"),
        *("1e3 MB", "4 GiB\n", "4  GiB", "٤ GiB", ". GiB", "4. GiB", "1" * 50 + " GiB", "4 min"),
    ],
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="must be a size above zero such as 4 GiB or 500 MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(1, 1.0), (0.5, 0.5), ("90 s", 90.0), ("10 min", 600.0), ("1.5 h", 5400.0), ("2h", 7200.0)],
)
def test_a_duration_is_in_seconds(text, seconds):
    assert parse_duration(text) == seconds
    assert type(parse_duration(text)) is float


@pytest.mark.parametrize(
    "text",
    [
        *(0, -1, -0.5, True, None, {}, "", "10", "10 m", "10 minutes", "0 s", "-1 s", "5 ms"),
        *("1e2 s", "31 d", "721 h", 10**400, float("inf"), float("nan"), "10 min\n", "4 GiB"),
    ],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="must be a duration above zero and of at most 30 days"):
        parse_duration(text)


@given(st.integers(1, 2**63))
def test_a_size_survives_being_written(size):
    assert parse_size(format_size(size)) == size


@given(st.floats(0, LONGEST_S, exclude_min=True))
def test_a_duration_survives_being_written(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [(4 * 2**30, "4 GiB"), (4 * 10**9, "4 GB"), (1536 * 2**20, "1536 MiB"), (1001, "1001 B")],
)
def test_a_size_is_written_short(size, text):
    assert format_size(size) == text


@given(st.from_regex(SIZE_PATTERN))
def test_the_schema_of_a_size_allows_what_is_read(text):
    if len(text) < 20 and re.search("[1-9]", text.partition(".")[0]) and "\n" not in text:
        assert parse_size(text) >= 1


@given(st.from_regex(DURATION_PATTERN))
def test_the_schema_of_a_duration_allows_what_is_read(text):
    if re.match(r"0*[1-9][0-9]?(\.|\D)", text) and len(text) < 20 and "\n" not in text:
        assert parse_duration(text) > 0
