"""What the rounds of halving gave to the winner: rows, or the value of a parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError
from experiments.records import point_key
from experiments.report.candidate_table import GivenKey, has_candidates, read_given
from experiments.report.searches import read_search
from experiments.report.text import clean
from experiments.report.wording import number_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.records import Record
    from experiments.report.folder import RunFiles
    from experiments.report.searches import Searched

ROWS = "rows"
# below this share of the training rows a score says little of a model of all of them
_ENOUGH = 0.5


@dataclass(frozen=True, eq=False)
class Resource:
    """What halving gives more of from round to round, at one point.

    Parameters
    ----------
    name : str
        ``"rows"``, or the name of a parameter.
    of : float or None
        The training rows; None for a parameter, or where they are unknown.
    last : float or None
        What the last round gives by its plan.
    given : mapping
        What the latest round that a candidate completed gave it.
    exhausts : bool
        Whether the definition asks that the last round use all there is.
    """

    name: str
    of: float | None
    last: float | None
    given: Mapping[GivenKey, float]
    exhausts: bool

    def of_winners(self, records: Sequence[Record]) -> list[float]:
        """Return what was given to the winner of each record that tells of one."""
        found = []
        for record in records:
            search = read_search(record.model)
            if search is None or search.best is None or search.strategy != "halving":
                continue
            value = self._of_winner(record, search)
            if value is not None:
                found.append(value)
        return found

    def in_words(self, value: float) -> str:
        """Return what was given: ``"5 of 150 rows"``, ``"45 n_estimators"``."""
        of = "" if self.of is None else f" of {self.of:,.0f}"
        return f"{value:,.0f}{of} {clean(self.name)}"

    def too_few(self, records: Sequence[Record]) -> str:
        """Say on how few rows a winner was chosen; empty unless on less than half of them."""
        least = min(self.of_winners(records), default=None)
        if self.of is None or least is None or least >= _ENOUGH * self.of:
            return ""
        return self.in_words(least)

    def _of_winner(self, record: Record, search: Searched) -> float | None:
        best = search.best
        if best is None:
            return None
        if best.candidate is not None:
            key = (record.engine, record.implementation, record.round, record.repeat)
            if (found := self.given.get((*key, best.candidate))) is not None:
                return found
        if self.name != ROWS:
            return number_or_none(best.params.get(self.name))
        # without a table only a search that got to its last round tells
        return None if search.cut else self.last


def read_resource(files: RunFiles, point: Mapping[str, Any]) -> Resource | None:
    """Read what halving gave more of at a point; None where nothing was halved."""
    asked = files.asked_at(dict(point)).get("search")
    if not isinstance(asked, dict) or asked.get("strategy") != "halving":
        return None
    about = files.about(dict(point))
    name = str(asked.get("resource") or ROWS)
    search, dataset = about.get("search"), about.get("dataset")
    counts = dataset.get("counts") if isinstance(dataset, dict) else None
    rungs = search.get("rungs") if isinstance(search, dict) else None
    last = rungs[-1] if isinstance(rungs, list) and rungs else None
    given: dict[GivenKey, float] = {}
    if has_candidates(files.path):
        try:
            given = read_given(files.path, point_key(dict(point)))
        except RequestError:
            # whoever lists the best candidates says why the table cannot be read
            given = {}
    return Resource(
        name=name,
        of=number_or_none(counts.get("train"))
        if name == ROWS and isinstance(counts, dict)
        else None,
        last=number_or_none(last.get("n_resources")) if isinstance(last, dict) else None,
        given=given,
        exhausts=(asked.get("min_resources") or "exhaust") == "exhaust",
    )


def warn_of_few_rows(files: RunFiles, point: Mapping[str, Any]) -> str:
    """Warn of a winner that was chosen on less than half of the training rows; empty without."""
    resource = read_resource(files, point)
    few = "" if resource is None else resource.too_few(files.records_at(dict(point)))
    if resource is None or not few:
        return ""
    advice = (
        ""
        if resource.exhausts
        else "; with search.min_resources: exhaust the last round uses all that there are"
    )
    return (
        f"Halving chose a winner on {few}, less than half of those to train on: its score over the "
        f"folds is that of models of so few rows, and on all of them another candidate may be "
        f"better{advice}."
    )
