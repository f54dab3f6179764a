"""How to read a table: what stands below it in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.attached import LOST_MEANING, UNKNOWN, UNKNOWN_MEANING
from experiments.report.cells import LEVEL
from experiments.report.columns import NOT_FINISHED
from experiments.report.differences import overlap
from experiments.report.search_rows import EACH_ROUND, SPREAD_INSIDE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from experiments.report.rows import Cell, Row
    from experiments.report.tables import Table
    from experiments.statistics.bootstrap import Estimate

_BELOW = {"range": "the least and greatest", "quartiles": "the quartiles"}
_INTERVAL = (
    "Each round is a process of its own, and counts with the median of its repeats, which share it "
    "and so are no measurements of their own. The value is the mean over rounds, on logarithms, "
    "and its interval the t interval of that mean. Engines take turns within a round: the interval "
    "of a ratio is that of the ratios of each round, or that of two independent means (Welch) "
    "where a round lacks one of the two. Each interval is for its one number."
)
_NOISE = (
    "A null run runs the baseline once more at the end of each round, as if it were another "
    "engine. The floor is the bound of the interval of its ratio to the first run that is farthest "
    "from 1, or the ratio itself where that has no interval. A ratio within it is told as no "
    "difference shown."
)
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
    if table.baseline is not None:
        found.extend(_of_ratios(rows.values(), table.heads.index(table.baseline)))
    found.extend(_of_values(rows.values()))
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
    found.extend(_of_clusters(rows, {head.outcome for head in table.heads}))
    return " ".join(found)


def explain(tables: Iterable[Table]) -> dict[str, str]:
    """Return how the numbers of tables that have intervals or a noise floor come about.

    Returns
    -------
    dict
        Name of a number to what it is; empty where the tables have neither.
    """
    rows = [row for table in tables for group in table.groups for row in group.rows]
    found = {}
    if any(_has_interval(cell.interval) for row in rows for cell in row.cells):
        found["95 % interval"] = _INTERVAL
    if any(row.noise for row in rows):
        found["Noise floor"] = _NOISE
    return found


def _of_values(rows: Collection[Row]) -> Iterable[str]:
    """Say what a value and the spread below it are of."""
    cells = [cell for row in rows for cell in row.cells]
    spreads = {cell.summary.spread for cell in cells if cell.summary} - {"none"}
    if spreads:
        named = [_BELOW[spread] for spread in ("range", "quartiles") if spread in spreads]
        if len(named) > 1:
            named = [named[0], f"from n = 5 on {named[1]}"]
        yield f"n: measurements; below a value stand {', '.join(named)} of them."
    if any(cell.typical is not None for cell in cells):
        yield (
            "A value with an interval is the mean over rounds, on logarithms, of the medians of "
            "their repeats; any other is the median."
        )
    elif spreads:
        yield "A value is the median."


def _of_ratios(rows: Collection[Row], baseline: int) -> Iterable[str]:
    """Say what intervals are of, and why a difference is not shown."""
    cells = [cell for row in rows for cell in row.cells]
    of_values = any(_has_interval(cell.interval) for cell in cells)
    of_ratios = any(_has_interval(cell.ratio_interval) for cell in cells)
    if of_values or of_ratios:
        whose = " or ".join(
            [*(["of a value"] if of_values else []), *(["of its ratio (x)"] if of_ratios else [])]
        )
        yield f"[ ]: 95 % interval {whose}, from the differences between rounds."
    reasons = {
        reason: None
        for row in rows
        for cell in row.cells
        if cell.difference is False
        for reason in [_why_level(cell, row.cells[baseline])]
    }
    if reasons:
        yield f"{LEVEL}: no difference shown, as {' or '.join(reasons)}."
    if any(cell.difference and not _has_interval(cell.ratio_interval) for cell in cells):
        yield (
            "A ratio without an interval and without that mark: no measurement of one engine lies "
            "among those of the other, which perhaps is chance."
        )


def _has_interval(one: Estimate | None) -> bool:
    return one is not None and one.has_interval


def _why_level(cell: Cell, baseline: Cell) -> str:
    """Say why a ratio shows no difference."""
    between = cell.ratio_interval
    if between is not None and between.low is not None and between.high is not None:
        if between.low <= 1 <= between.high:
            return "the interval holds 1"
    elif overlap(cell.rounds, baseline.rounds):
        return "the measurements overlap"
    return "the ratio is within the noise floor"


def _of_clusters(rows: Mapping[str, Row], outcomes: Collection[str]) -> Iterable[str]:
    """Say how the numbers of engines that joined a cluster come about."""
    if "granted_place" not in rows:
        return
    yield (
        "On a cluster, CPU time, memory and storage are those of this machine's processes and of "
        "the workers together; peak memory is the sum of their peaks, which need not have been at "
        "the same moment. What all workers spilled, sent, received and spent on garbage "
        "collection, and the most memory on one, is of all phases of one process."
    )
    if any(cell.text == UNKNOWN for row in rows.values() for cell in row.cells):
        yield UNKNOWN_MEANING
    if set(outcomes) - {"completed", "unsupported", NOT_FINISHED}:
        yield LOST_MEANING


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
