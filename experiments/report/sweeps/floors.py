"""Say how much the baseline differed from itself over a sweep, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.numbers import excess
from experiments.report.sweeps.words import at_value, interval, place, times

if TYPE_CHECKING:
    from experiments.report.sweeps.values import Sweep


def tell_floors(sweep: Sweep) -> str:
    """Return the noise floor at the greatest value that has one, and the range of the others.

    The greatest value decides: there a difference has to show if it shows anywhere, and the floor
    of the least one, where times are short, would hide it.

    Parameters
    ----------
    sweep : Sweep
        With the floors of its values.

    Returns
    -------
    str
        Two sentences at most; empty without any floor.
    """
    known = [
        (value, floor)
        for value, floor in zip(sweep.values, sweep.floors, strict=True)
        if floor is not None
    ]
    if not known:
        return ""
    value, floor = known[-1]
    title = sweep.baseline or sweep.series[0].title
    between = interval(floor.ratio)
    about = f"95 % interval {between}" if between else "no interval can be given"
    text = (
        f"Noise floor of the {sweep.measure_label} at {at_value(sweep, value)}: a second {title} "
        f"took {times(floor.ratio.value)} times as long as the first ({about}); differences below "
        f"{excess(floor.factor)} are told as no difference shown."
    )
    others = sorted(one.factor for _, one in known[:-1])
    if not others:
        return text
    least, most = excess(others[0]), excess(others[-1])
    told = least if least == most else f"between {least} and {most}"
    where = f"other {place(sweep)}{'' if len(others) == 1 else 's'}"
    return f"{text} At the {where} the floor is {told}."
