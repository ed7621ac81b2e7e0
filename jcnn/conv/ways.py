"""The ways to compute each pass of a convolution, which of them is taken on which platform, and by which measurement.

One table, `WAYS`, has every way to the forward pass and to the gradients by input (dx) and filters (dw). For every platform
`PREFERENCES` lists, in order, where which of them was measured the fastest. `choose` takes the first that applies and may be
taken; nothing else decides. A new way is one row of `WAYS` and, where it is the fastest, one of `PREFERENCES`; a new platform
one entry of `PREFERENCES`.

`python -m experiments.benchmarks.choices` measures every way on every benchmarked shape and keeps the figures in
`experiments/benchmarks/choices.json`; a test holds the preferences against them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
from jax import Array, lax

from jcnn import geometry
from jcnn.conv import native
from jcnn.conv.call import Call
from jcnn.conv.fft import conv_fft
from jcnn.conv.folded import by_folded_patches, conv_folded, fits
from jcnn.conv.im2col import by_patches, conv_im2col
from jcnn.conv.lax import by_convolution, by_correlation, conv_lax
from jcnn.conv.phases import by_phases
from jcnn.conv.scaled_images import conv_scaled_images
from jcnn.conv.taps import by_places, by_sums, by_taps, conv_taps
from jcnn.conv.toeplitz import check_entries, conv_toeplitz
from jcnn.conv.winograd import conv_winograd, filter_gradient_winograd

Pass = Literal["forward", "dx", "dw"]
Formulation = Literal["lax", "taps", "im2col", "toeplitz", "fft", "winograd", "native", "auto"]
Test = Callable[[Call], bool]

OTHERS = "default"
"""The platforms that have no preferences of their own, by the name that `lax.platform_dependent` has for them."""


def always(_: Call) -> bool:
    """Everywhere."""
    return True


def never(_: Call) -> bool:
    """Nowhere."""
    return False


def outputs_fold(call: Call) -> bool:
    """Pixels can be folded into channels, and outputs fill whole cells."""
    return call.moves_by_one() and call.one_group() and fits(call.outputs[-1])


def inputs_fold(call: Call) -> bool:
    """As `outputs_fold`, on the way back, which writes the input's gradient."""
    return call.moves_by_one() and call.one_group() and fits(call.sizes[-1])


def by_onednn(call: Call) -> bool:
    """oneDNN's kernels are installed and compute with such numbers."""
    return call.sums_in_float32() and native.missing() is None


@dataclass(frozen=True)
class Way:
    """A way to compute one pass.

    Attributes:
        name: what it is called in tables, plans and profiles.
        form: the function: (x, w, window, groups) for the forward pass, (dy, w, window, groups, sizes of x) for dx,
            (dy, x, window, groups) for dw.
        valid: where it can be taken without being asked for.
        timed: where the benchmarks try it, out of where it is valid.
        for_speed: whether it is taken for speed only where that was asked for, since its program is longer, its error larger,
            or an infinity or NaN reaches further than the windows that see it.
        forward_mode: whether it can be differentiated in forward mode.
        formulation: whether `conv` takes it by name as an independent way to the sum.
        platforms: the only ones that have it; empty: all.
        check: refuses a call and its number of examples, before anything is compiled, where the way was asked for by name.
    """

    name: str
    form: Callable[..., Array]
    valid: Test = always
    timed: Test = always
    for_speed: bool = False
    forward_mode: bool = True
    formulation: bool = False
    platforms: tuple[str, ...] = ()
    check: Callable[[Call, int], None] = lambda _call, _examples: None


def unrolls(call: Call, _: int) -> None:
    """Refuses windows of more taps than a program is to write out."""
    call.window.unroll("formulation='lax'")


def _copies_patches(call: Call, examples: int) -> None:
    unrolls(call, examples)
    patches = (examples, *call.outputs, call.taps, call.c_in)
    geometry.countable(f"the patches of x and w, for {call.window},", patches, fix="; take formulation='lax'")


def _makes_matrix(call: Call, _: int) -> None:
    check_entries(call.sizes, call.c_in, call.c_out, call.window)


def _needs_onednn(_call: Call, _examples: int) -> None:
    native.require()


def _native(form: Callable[..., Array]) -> Way:
    return Way("native", form, by_onednn, for_speed=True, forward_mode=False, platforms=("cpu",), check=_needs_onednn)


def _back(form: Callable[..., Array]) -> Callable[..., Array]:
    """dx by a formulation of the convolution with the flipped filter."""
    return partial(by_convolution, formulation=form)


WAYS: dict[Pass, tuple[Way, ...]] = {
    "forward": (
        Way("lax", conv_lax, formulation=True),
        Way("taps", conv_taps, timed=Call.depthwise, formulation=True, check=unrolls),
        Way("im2col", conv_im2col, timed=never, formulation=True, check=_copies_patches),
        Way("toeplitz", conv_toeplitz, timed=never, formulation=True, check=_makes_matrix),
        Way("fft", conv_fft, timed=never, formulation=True),
        Way("winograd", conv_winograd, Call.minimal, for_speed=True, formulation=True),
        Way("scaled_images", conv_scaled_images, Call.one_group, timed=Call.few_products),
        Way("folded", conv_folded, outputs_fold, timed=Call.minimal, for_speed=True),
        _native(native.conv_native),
    ),
    "dx": (
        Way("by_convolution", by_convolution),
        Way("by_phases", by_phases, Call.strided, for_speed=True),
        Way("by_places", by_places, timed=lambda call: call.depthwise() or call.taps == 1),
        Way("winograd", _back(conv_winograd), Call.minimal, for_speed=True),
        Way("folded", _back(conv_folded), inputs_fold, timed=Call.minimal, for_speed=True),
        _native(native.input_gradient),
    ),
    "dw": (
        Way("by_taps", by_taps),
        Way("by_sums", by_sums, Call.depthwise),
        Way("by_correlation", by_correlation, Call.one_group),
        Way("by_patches", by_patches, Call.one_group),
        Way("winograd", filter_gradient_winograd, Call.minimal, for_speed=True),
        Way("by_folded_patches", by_folded_patches, outputs_fold, timed=Call.minimal, for_speed=True),
        _native(native.filter_gradient),
    ),
}
"""For every pass its ways. Each forward pass that `conv` takes by name says itself what it refuses."""


class Preference(NamedTuple):
    """Where a way is taken, and why.

    Attributes:
        way: its name.
        where: for which calls.
        why: the rule in words, with what was measured.
    """

    way: str
    where: Test
    why: str


def _saves_by_winograd(call: Call) -> bool:
    size, channels = call.window.size, min(call.c_in, call.c_out)
    return (size == (3, 3) and channels >= 64) or (size == (5, 5) and channels >= 128)


def _wider_by_folding(call: Call, read: int, written: int) -> bool:
    odd = call.window.size[-1] > 1 and call.window.size[-1] % 2 == 1
    return odd and 3 < read <= 64 and written <= 16


def _few_channels(call: Call, most: int) -> bool:
    return call.depthwise() or min(call.c_in, call.c_out) <= most


_MEASURED = "experiments/benchmarks/choices.json"
_WINOGRAD = f"3×3 with 64 channels or more, 5×5 with 128: the products saved outweigh the transforms; {_MEASURED}"
_FOLDED = f"at most 16 channels to write leave kernels half empty, pixels among the channels fill them; {_MEASURED}"
_ONEDNN = f"so few channels leave XLA's kernels half empty, oneDNN's not; {_MEASURED}"
_NOWHERE_MEASURED = "nothing was measured here: the plain operation, for which every backend has a fast kernel"

PREFERENCES: dict[str, dict[Pass, tuple[Preference, ...]]] = {
    "cpu": {
        "forward": (
            Preference("winograd", _saves_by_winograd, _WINOGRAD),
            Preference(
                "native",
                lambda call: (
                    _few_channels(call, 32) and not (min(call.c_in, call.c_out) == 1 == call.groups and call.taps <= 9)
                ),
                _ONEDNN,
            ),
            Preference("taps", Call.depthwise, f"no channels meet: scaled images, added; {_MEASURED}"),
            Preference(
                "scaled_images",
                lambda call: call.c_in <= 3 and call.c_in * call.taps <= 32,
                f"XLA has no fast kernel for up to 3 channels of up to 32 products in all; {_MEASURED}",
            ),
            Preference("folded", lambda call: _wider_by_folding(call, call.c_in, call.c_out), _FOLDED),
            Preference("lax", always, f"XLA's own kernel (Eigen's), no other way is faster here; {_MEASURED}"),
        ),
        "dx": (
            Preference("winograd", _saves_by_winograd, _WINOGRAD),
            Preference(
                "native",
                lambda call: _few_channels(call, 32) or (call.taps > 1 and max(call.window.stride) > 1),
                f"few channels, or a stride on the way back, where oneDNN spends no product on zeros; {_MEASURED}",
            ),
            Preference(
                "by_places",
                lambda call: call.depthwise() and call.c_out == call.groups,
                f"no channels meet: scaled images, added where they were seen; {_MEASURED}",
            ),
            Preference(
                "by_phases",
                lambda call: max(call.window.stride) == 2,
                f"a stride of 2: four small convolutions, no product spent on the zeros between outputs; {_MEASURED}",
            ),
            Preference("folded", lambda call: _wider_by_folding(call, call.c_out, call.c_in), _FOLDED),
            Preference("by_convolution", always, f"a plain convolution, no other way is faster here; {_MEASURED}"),
        ),
        "dw": (
            Preference("winograd", _saves_by_winograd, _WINOGRAD),
            Preference("native", lambda call: _few_channels(call, 64), _ONEDNN),
            Preference("by_sums", Call.depthwise, f"no channels meet: nothing for a matrix product to do; {_MEASURED}"),
            Preference(
                "by_taps",
                lambda call: call.groups > 1 or call.taps == 1,
                f"groups, or a single tap: a matrix product per tap; {_MEASURED}",
            ),
            Preference(
                "by_folded_patches",
                lambda call: call.c_in <= 3 and call.taps <= 9,
                f"up to 3 channels and 9 taps: one product for all taps, of longer pieces to copy; {_MEASURED}",
            ),
            Preference(
                "by_patches", lambda call: call.c_in * call.taps <= 16, f"patches so small are cheap to copy; {_MEASURED}"
            ),
            Preference("by_correlation", always, f"a convolution again, no other way is faster here; {_MEASURED}"),
        ),
    },
    OTHERS: {
        "forward": (Preference("lax", always, _NOWHERE_MEASURED),),
        "dx": (Preference("by_convolution", always, _NOWHERE_MEASURED),),
        "dw": (
            Preference("by_taps", lambda call: call.groups > 1 or call.taps == 1, _NOWHERE_MEASURED),
            Preference("by_correlation", always, _NOWHERE_MEASURED),
        ),
    },
}
"""By platform and pass, in order: the first way that applies, is valid and may be taken, is taken."""


@dataclass(frozen=True)
class Policy:
    """Which ways may be taken.

    Attributes:
        forward: forward ways asked for by name: the first that is valid, the last in any case; empty: by preference.
        gradients: ways of dx and dw that go before any preference, where they are valid.
        for_speed: whether ways that serve nothing but speed may be taken.
        forward_mode: whether only ways with a forward mode may be taken.
    """

    forward: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    for_speed: bool = False
    forward_mode: bool = False


PLAIN = Policy(forward=("lax",))
"""What `conv_backward` and `conv_transpose` take: the very products of the sum."""
AUTO = Policy(for_speed=True)
"""Whatever was measured the fastest."""
NATIVE = Policy(forward=("native", "lax"), gradients=("native",))
"""oneDNN for all that it takes."""


def policy(formulation: Formulation, gradient: str) -> Policy:
    """What `conv` with these options may take.

    Raises:
        ValueError: no such formulation.
    """
    geometry.choice("formulation", formulation, (*formulations(), "native", "auto"))
    match formulation:
        case "auto":
            # oneDNN has no forward mode, and neither has a manual rule.
            return Policy(for_speed=True, forward_mode=gradient != "manual")
        case "native":
            return NATIVE
    return Policy(forward=(formulation,))


def formulations() -> tuple[str, ...]:
    """The independent ways to the forward pass that `conv` takes by name, besides `"native"` and `"auto"`."""
    return tuple(way.name for way in WAYS["forward"] if way.formulation)


class Choice(NamedTuple):
    """What is taken, and why."""

    way: Way
    why: str


def choose(what: Pass, call: Call, platform: str, policy: Policy = AUTO) -> Choice:
    """The way that a pass of a call takes on a platform: the only place that decides.

    Args:
        what: the pass.
        call: the parsed call.
        platform: as JAX names those it lowers for, `"cpu"`, `"cuda"`, `"rocm"`, `"tpu"`.
        policy: which ways may be taken.
    """
    asked = policy.forward if what == "forward" else policy.gradients
    ways = {way.name: way for way in WAYS[what]}

    def possible(way: Way) -> bool:
        return way.valid(call) and (not way.platforms or platform in way.platforms)

    for name in asked:
        if possible(ways[name]):
            return Choice(ways[name], "asked for by name")
    if what == "forward" and asked:
        return Choice(ways[asked[-1]], "asked for by name")
    for name, where, why in PREFERENCES.get(platform, PREFERENCES[OTHERS])[what]:
        way = ways[name]
        allowed = (policy.for_speed or not way.for_speed) and (way.forward_mode or not policy.forward_mode)
        if allowed and possible(way) and where(call):
            return Choice(way, why)
    raise AssertionError(f"no way to {what} of {call} on {platform}: the last preference of a platform is for all calls")


def ways_of(what: Pass, call: Call, platform: str) -> Iterator[Way]:
    """The ways to a pass that are worth timing on a platform."""
    for way in WAYS[what]:
        if way.valid(call) and way.timed(call) and (not way.platforms or platform in way.platforms):
            yield way


def compute(what: Pass, call: Call, policy: Policy, first: Array, second: Array) -> Array:
    """One pass, by the way that is chosen on the platform that the program is lowered for; sums in at least float32.

    Args:
        what: the pass.
        call: the parsed call.
        policy: which ways may be taken.
        first: x for the forward pass, dy for the others.
        second: w for the forward pass and dx, x for dw.
    """
    taken = tuple((platform, choose(what, call, platform, policy).way) for platform in PREFERENCES)
    ways = {way for _, way in taken}
    if len(ways) == 1:
        return run(what, ways.pop(), call, first, second)
    return _run_by_platform(what, taken, call, first, second)


def run(what: Pass, way: Way, call: Call, first: Array, second: Array) -> Array:
    """One pass by one way, under its name in profiles; arguments as `compute`."""
    sizes: tuple[Any, ...] = (call.sizes,) if what == "dx" else ()
    with jax.named_scope(f"conv.{what}.{way.name}"):
        return way.form(first, second, call.window, call.groups, *sizes)


# Compiled as one, so that calls outside of `jit` find their program again.
@partial(jax.jit, static_argnames=("what", "taken", "call"))
def _run_by_platform(what: Pass, taken: tuple[tuple[str, Way], ...], call: Call, first: Array, second: Array) -> Array:
    branches = {platform: partial(run, what, way, call) for platform, way in taken}
    return lax.platform_dependent(first, second, **branches)
