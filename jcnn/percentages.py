"""Parts of a whole in per cent, as text that says no more than is so: "100 %" is all of them, "0 %" is none."""

import math


def share(part: int, whole: int, *, least: int = 1) -> str:
    """So many of so many in per cent, such as "99.2 %": one more or less of them is always another text.

    Args:
        part: how many, 0 to `whole`.
        whole: of how many.
        least: decimals at least; more where one of the whole is less than the last decimal.

    Returns:
        The percentage; "–" of nothing.

    Raises:
        ValueError: part is not between 0 and whole.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"part={part}: expected a number from 0 to {whole}, the whole")
    if not whole:
        return "–"
    if part in (0, whole):
        return "100 %" if part else "0 %"
    decimals = max(least, math.ceil(math.log10(whole)) - 2)
    return f"{100 * part / whole:.{decimals}f} %"


def percent(fraction: float, decimals: int = 1) -> str:
    """A fraction in per cent, rounded, but never to all or nothing: "> 99.9 %" is less than 1, "< 0.1 %" more than 0."""
    if not math.isfinite(fraction):
        return "not a number"
    if fraction in (0, 1):
        return f"{fraction:.0%}".replace("%", " %")
    return _between(fraction, decimals)


def probability(value: float, decimals: int = 1) -> str:
    """A network's probability in per cent, never certainty: a softmax that is exactly 1, or 0, has been rounded to it."""
    return _between(value, decimals) if math.isfinite(value) else "not a number"


def _between(fraction: float, decimals: int) -> str:
    text = f"{100 * fraction:.{decimals}f}"
    last = 10.0**-decimals
    if float(text) == 100:
        return "> 100 %" if fraction > 1 else f"> {100 - last:.{decimals}f} %"
    return f"< {last:.{decimals}f} %" if float(text) == 0 and fraction >= 0 else f"{text} %"
