from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.dask.data import Share, shares
from engines.prepared import RowGroup


def groups(counts: list[int]) -> tuple[RowGroup, ...]:
    """Make row groups with so many training rows."""
    return tuple(RowGroup("part.parquet", n, count, 0) for n, count in enumerate(counts))


def rows(share: Share, all_groups: tuple[RowGroup, ...]) -> list[int]:
    """Return the numbers of the rows of a share."""
    before = sum(group.train for group in all_groups[: share.row_groups[0].index])
    return list(range(before + share.start, before + share.stop))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(1, 6))
def test_every_row_is_in_one_share_in_order_and_no_share_is_empty(counts, n_blocks):
    made_of = groups(counts)
    if sum(counts) == 0:
        return
    made = shares(made_of, "train", n_blocks)
    assert [row for share in made for row in rows(share, made_of)] == list(range(sum(counts)))
    assert len(made) == min(n_blocks, sum(counts))
    assert all(share.start < share.stop for share in made)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(1, 6))
def test_a_share_reads_no_row_group_that_it_has_no_row_of(counts, n_blocks):
    if sum(counts) == 0:
        return
    for share in shares(groups(counts), "train", n_blocks):
        held = [group.train for group in share.row_groups]
        assert share.start < held[0]
        assert share.stop > sum(held) - held[-1]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=8), st.integers(1, 6))
def test_shares_differ_by_a_tenth_at_most(counts, n_blocks):
    if sum(counts) < n_blocks:
        return
    heights = [share.stop - share.start for share in shares(groups(counts), "train", n_blocks)]
    assert max(heights) - min(heights) <= 0.2 * sum(counts) / n_blocks + 1


def test_row_groups_of_nearly_equal_size_are_not_cut():
    made = shares(groups([1010, 990]), "train", 2)
    assert [(len(one.row_groups), one.start, one.stop) for one in made] == [
        (1, 0, 1010),
        (1, 0, 990),
    ]


def test_one_row_group_is_cut_for_two_workers():
    assert [(one.start, one.stop) for one in shares(groups([10]), "train", 2)] == [(0, 5), (5, 10)]
