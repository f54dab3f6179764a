"""What a comparison comes to, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report import numbers
from experiments.report.columns import NOT_FINISHED
from experiments.report.wording import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.compare.pairs import Number, Pair, PointPair
    from experiments.statistics.bootstrap import Estimate

# So many points are named in a sentence, and the others counted
_MOST_NAMED = 3
_MOST_LISTED = 6
_BRIEFLY = {
    "none shown": "not shown",
    "within noise": "in noise",
    "within tolerance": "tolerated",
    "beyond tolerance": "differs",
}
_LEVEL = "no difference shown"


def ratio_text(value: float, low: float | None = None, high: float | None = None) -> str:
    """Return how many times as much the second run has, with digits that tell it from 1.

    Between bounds as `interval_text` gives them, it is shown to lie between them.
    """
    if value == 1:
        return "1x"
    text = numbers.distinct(value, 3)
    if low is not None and high is not None:
        least, most, shown = (
            float(one.replace(",", "")) for one in (*numbers.bounds(low, high), text)
        )
        if not least <= shown <= most:
            text = numbers.multiple(value, low, high)
    return f"{text}x"


def interval_text(ratio: Estimate) -> str:
    """Return the interval of a ratio; empty where none can be given."""
    if ratio.low is None or ratio.high is None:
        return ""
    return numbers.ratio_range(ratio.low, ratio.high)


def difference_text(number: Number) -> str:
    """Return in a word or two whether the runs differ, and which way."""
    difference = number.difference
    if difference in {"shown", "uncertain"}:
        return _direction(number) + ("?" if difference == "uncertain" else "")
    return _BRIEFLY.get(difference, difference)


def change_text(number: Number) -> str:
    """Return the ratio, or the difference of what has none; empty where there is neither."""
    if number.ratio is not None:
        return ratio_text(number.ratio.value, number.ratio.low, number.ratio.high)
    change = number.change
    if not change:
        return ""
    form = numbers.number if number.row.unit == "number" else numbers.deviation
    return f"{'+' if change > 0 else '-'}{form(abs(change))}"


def named(names: Sequence[str], most: int = _MOST_LISTED) -> str:
    """Return names one after the other, and of many how many there are more."""
    first = "; ".join(names[:most])
    return first if len(names) <= most else f"{first}; and {len(names) - most} more"


def name_of(pair: Pair) -> str:
    """Return the name of an engine, with its implementation where that is none of a library."""
    return pair.first.title if pair.first.implementation == "library" else pair.first.name


def kind_of(pair: Pair) -> str:
    """Return what the main time of a pair is of: ``"warm fit"``."""
    return f"{'warm' if pair.warm else 'cold'} {pair.work.one}"


def tell_main(points: Sequence[PointPair]) -> tuple[str, ...]:
    """Say for each engine what became of the time that matters."""
    engines: dict[str, list[tuple[str, Pair]]] = {}
    for point in points:
        for pair in point.pairs:
            engines.setdefault(name_of(pair), []).append((point.title, pair))
    return tuple(
        f"{name}: {_tell_one(found[0][1]) if len(found) == 1 else _tell_many(found)}."
        for name, found in engines.items()
    )


def tell_outcome(point: PointPair, pair: Pair) -> str:
    """Say how an engine ended otherwise than in the first run; empty where it did not."""
    first, second = pair.outcomes
    if first == second:
        return ""
    at = f" at {point.title}" if point.title else ""
    why = next((reason for reason in reversed(pair.reasons) if reason), "")
    text = f"{name_of(pair)}{at}: {first} in the first run, {second} in the second"
    return f"{text}: {why}" if why else f"{text}."


def why_not_compared(pair: Pair) -> str:
    """Say why the main times of two runs are not compared; empty where they are."""
    first, second = pair.outcomes
    if pair.cut:
        return "a time budget ended the search, so its time says nothing of speed"
    if pair.main is not None:
        return ""
    fine = {"completed", NOT_FINISHED}
    if first == second and first not in fine:
        return f"{first} in both runs"
    ended = [
        f"{outcome} in the {which} run"
        for outcome, which in ((first, "first"), (second, "second"))
        if outcome not in fine
    ]
    return " and ".join(ended) or f"no {pair.work.one} was measured in both runs"


def tell_number(number: Number) -> str:
    """Say by how much a time differs between the runs, as far as that is known."""
    ratio = number.ratio
    if ratio is None:
        return ""
    told = ratio_text(ratio.value, ratio.low, ratio.high)
    bounds = interval_text(ratio)
    if bounds:
        told += f" (95 % interval {bounds})"
    if number.difference == "within noise" and number.noise is not None:
        return f"{told}, within the noise floor of {numbers.excess(number.noise.factor)}"
    if bounds:
        return told
    if number.difference == "uncertain":
        basis = "a run has one value only" if number.once else "the values do not overlap"
        return f"{told} ({basis}, and no interval can be given, so chance is not excluded)"
    return f"{told} (the values of the runs overlap)"


def _direction(number: Number) -> str:
    more = number.direction == "more"
    if number.row.key.endswith("wall_s"):
        return "slower" if more else "faster"
    return "more" if more else "less"


def _verdict(pair: Pair) -> str:
    number = pair.main
    if number is None or pair.cut:
        return "not compared"
    if number.difference in {"none shown", "within noise"}:
        return _LEVEL
    uncertain = number.difference == "uncertain"
    return f"{'perhaps ' if uncertain else ''}{_direction(number)}"


def _tell_one(pair: Pair) -> str:
    if pair.main is None or pair.cut:
        return f"not compared, {why_not_compared(pair)}"
    verdict = _verdict(pair)
    told = f"{verdict} in {kind_of(pair)}" if verdict == _LEVEL else f"{kind_of(pair)} {verdict}"
    return f"{told}, {tell_number(pair.main)}"


def _tell_many(found: Sequence[tuple[str, Pair]]) -> str:
    """Count the points with each verdict, and name those at which there is something to see."""
    verdicts: dict[str, list[tuple[str, Pair]]] = {}
    for at, pair in found:
        verdicts.setdefault(_verdict(pair), []).append((at, pair))
    kinds = joined(list(dict.fromkeys(kind_of(pair) for _, pair in found if pair.main is not None)))
    told = []
    for verdict, those in verdicts.items():
        text = f"{verdict} at {len(those)} of {len(found)} points"
        if verdict != _LEVEL:
            text += f" ({named([f'{_brief(pair)} at {at}' for at, pair in those], _MOST_NAMED)})"
        told.append(text)
    return f"{kinds} {'; '.join(told)}".strip()


def _brief(pair: Pair) -> str:
    if pair.main is None or pair.main.ratio is None or pair.cut:
        return why_not_compared(pair)
    ratio = pair.main.ratio
    bounds = interval_text(ratio)
    told = ratio_text(ratio.value, ratio.low, ratio.high)
    return f"{told} ({bounds})" if bounds else told
