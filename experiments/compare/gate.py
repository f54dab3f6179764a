"""Judge whether the second of two runs is worse than the first by more than is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.compare.words import kind_of, name_of, ratio_text, tell_number, why_not_compared
from experiments.report.columns import NOT_FINISHED
from experiments.statistics.bootstrap import FEWEST_ROUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.compare.build import Comparison
    from experiments.compare.pairs import Number, Pair, PointPair

_COMPLETED = "completed"
# One process a side always differs from another one, by chance alone
_FEWEST_WITHOUT_INTERVAL = 2


@dataclass(frozen=True)
class Judgement:
    """What ``--fail-above`` makes of a comparison.

    Parameters
    ----------
    above : float
        The share by which a time may grow.
    slower : tuple of str
        The main times that grew by more, beyond the noise.
    not_excluded : tuple of str
        The main times that may have grown by more: their intervals reach further, or they have
        none.
    lost : tuple of str
        Engines that completed in the first run and not in the second.
    unjudged : tuple of str
        What could not be judged, and why.
    too_few : int
        Number of main times that have too few rounds to be judged.
    judged : int
        Number of main times that were.
    uncertain : int
        Number of these without an interval.
    """

    above: float
    slower: tuple[str, ...]
    not_excluded: tuple[str, ...]
    lost: tuple[str, ...]
    unjudged: tuple[str, ...]
    too_few: int
    judged: int
    uncertain: int

    @property
    def failed(self) -> bool:
        """Whether anything is worse than is allowed."""
        return bool(self.slower or self.lost)

    @property
    def empty(self) -> bool:
        """Whether there was nothing to be judged, which is no success."""
        return not (self.judged or self.failed)


def judge(comparison: Comparison, above: float) -> Judgement:
    """Judge the main times, which are those of warm repeats where both runs have them.

    A time is slower beyond the noise where the interval of its ratio lies above ``1 + above``
    and the ratio beyond the noise floor. Fewer than three rounds have no interval. Two rounds of
    each run are then judged if no value of one run lies among those of the other, and the ratio
    must lie above both; anything less is not judged, so that the less is known, the less fails.
    Each time is judged by itself: the intervals are for one number each.

    Parameters
    ----------
    comparison : Comparison
        The runs.
    above : float
        The share by which a time may grow: 0.1 for 10 %.
    """
    pairs = [(point, pair) for point in comparison.points for pair in point.pairs]
    main_times = [
        (point, pair, pair.main) for point, pair in pairs if pair.main is not None and not pair.cut
    ]
    compared = [one for one in main_times if not _too_few(one[2])]
    few = [
        f"{_place(point, pair)}: {_rounds_text(main)} too few rounds to judge."
        for point, pair, main in main_times
        if _too_few(main)
    ]
    return Judgement(
        above=above,
        slower=tuple(
            f"{_place(point, pair)}: {kind_of(pair)} {tell_number(main)}."
            for point, pair, main in compared
            if _slower(main, above)
        ),
        not_excluded=tuple(
            f"{_place(point, pair)}{_upper(main)}"
            for point, pair, main in compared
            if not _slower(main, above) and _not_excluded(main, above)
        ),
        lost=tuple(
            f"{_place(point, pair)}: {pair.second.outcome} in the second run."
            for point, pair in pairs
            if _lost(pair)
        ),
        unjudged=(*few, *_unjudged(pairs), *comparison.missing),
        too_few=len(few),
        judged=len(compared),
        uncertain=sum(
            main.ratio is not None and not main.ratio.has_interval for _, _, main in compared
        ),
    )


def _too_few(main: Number) -> bool:
    """Tell whether there are so few rounds that a difference would be chance as likely as not."""
    if main.fewest_rounds >= FEWEST_ROUNDS:
        return False
    return main.fewest_rounds < _FEWEST_WITHOUT_INTERVAL or not main.lie_apart


def _rounds_text(main: Number) -> str:
    if main.fewest_rounds < _FEWEST_WITHOUT_INTERVAL:
        return "one round of a run is"
    return f"the values of the runs overlap, and {main.fewest_rounds} rounds of a run are"


def _slower(main: Number, above: float) -> bool:
    ratio = main.ratio
    if ratio is None or main.difference not in {"shown", "uncertain"}:
        return False
    least = ratio.value if ratio.low is None else ratio.low
    return least > 1 + above


def _not_excluded(main: Number, above: float) -> bool:
    ratio = main.ratio
    return ratio is not None and (ratio.high is None or ratio.high > 1 + above)


def _upper(main: Number) -> str:
    """Return how far an interval reaches; that there is none is told of all of them at once."""
    if main.ratio is None or main.ratio.high is None:
        return ""
    return f" (up to {ratio_text(main.ratio.high)})"


def _lost(pair: Pair) -> bool:
    first, second = pair.outcomes
    return first == _COMPLETED != second


def _unjudged(pairs: list[tuple[PointPair, Pair]]) -> Iterator[str]:
    for point, pair in pairs:
        reason = why_not_compared(pair)
        if reason and not _lost(pair):
            yield f"{_place(point, pair)}: {reason}."
        elif NOT_FINISHED in pair.outcomes and not _lost(pair):
            yield f"{_place(point, pair)}: judged by what was measured before the run ended."


def _place(point: PointPair, pair: Pair) -> str:
    return f"{name_of(pair)} at {point.title}" if point.title else name_of(pair)
