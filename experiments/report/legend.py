"""How to read a table: what stands below it in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.columns import NOT_FINISHED
from experiments.report.searches import EACH_ROUND, SPREAD_INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from experiments.report.rows import Row
    from experiments.report.tables import Table

_BELOW = {"range": "the least and greatest", "quartiles": "the quartiles"}
_CUT_SHORT = {"timed out", "out of memory", "crashed", "failed", NOT_FINISHED}


def legend(table: Table) -> str:
    """Return the sentences that a reader of a table needs, and no others."""
    found = []
    if table.baseline is None:
        found.append("No engine completed, so there are no ratios.")
    elif len(table.heads) > 1:
        alone = sum(head.engine == table.baseline.engine for head in table.heads) == 1
        name = table.baseline.title if alone else table.baseline.name
        found.append(f"x: times as much as {name}.")
    rows = {row.key: row for group in table.groups for row in group.rows}
    spreads = {cell.summary.spread for row in rows.values() for cell in row.cells if cell.summary}
    if spreads - {"none"}:
        named = [_BELOW[spread] for spread in ("range", "quartiles") if spread in spreads]
        if len(named) > 1:
            named = [named[0], f"from n = 5 on {named[1]}"]
        found.append(f"n: measurements; shown are the median and below it {', '.join(named)}.")
    if any(cell.deviation is not None for row in rows.values() for cell in row.cells):
        found.append("±: standard deviation over the folds.")
    found.extend(_of_search(rows))
    if any(head.outcome != "completed" for head in table.heads) and table.baseline is not None:
        found.append("What did not complete, or only degraded, has no ratio.")
    whole = rows["total_wall_s"].cells if "total_wall_s" in rows else ()
    outcomes = {
        head.outcome for head, cell in zip(table.heads, whole, strict=False) if cell.summary
    }
    if outcomes & _CUT_SHORT:
        found.append(
            "Where no process of an engine completed, its whole process, CPU time and peak memory "
            "are those until it ended."
        )
    own = rows.get("granted_memory_bytes")
    if own is not None and len({cell.summary.median for cell in own.cells if cell.summary}) > 1:
        found.append(
            "Own memory limit: what an engine holds its workers or its Java heap to; the rest of "
            "the memory granted is for what runs around them."
        )
    return " ".join(found)


def _of_search(rows: Mapping[str, Row]) -> Iterable[str]:
    costs = [row for key, row in rows.items() if key.startswith("search_beyond_fits_s")]
    if costs:
        yield (
            "Cost beyond its fits: seconds of a search that its fits and scores, shared out over "
            "the fits at a time, do not explain, and their share of the search."
        )
    if any(SPREAD_INSIDE in row.meaning for row in costs):
        yield SPREAD_INSIDE
    counted = [row for key, row in rows.items() if key.startswith("candidates_completed")]
    if any(EACH_ROUND in row.meaning for row in counted):
        yield EACH_ROUND
