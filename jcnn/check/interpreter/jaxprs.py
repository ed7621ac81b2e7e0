"""A jaxpr's value by the rules for its primitives; and JAX made to take it wherever it would compile a program.

What is compiled runs once, as hardly any case has the shapes of another: 15 ms for every operation, of which its numbers take
some microseconds. Only the last step is another: what JAX traces, checks and raises it does as ever, and everything the rules
do not know is compiled.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np

from .primitives import ELEMENTWISE, RULES, NotInterpretedError, demand_normal

Array = np.ndarray

_KNOWN = ("0.10.",)
"""The versions of JAX whose insides are as they are taken here."""

_DTYPES = frozenset(map(np.dtype, ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]))
_LONGEST = 2**20
_IN_LOOPS = 4000
"""So many equations inside loops take as long as compiling the loop."""

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}
"""Primitives that only call a jaxpr, and the parameter that it is."""


class Interpreter:
    """What takes the place of JAX's compiler.

    Raises:
        ImportError, AttributeError: JAX is not made as this takes it.
    """

    def __init__(self) -> None:
        import jax
        from jax._src import core, dispatch, pjit
        from jax._src.interpreters import pxla

        # Its insides have no types.
        self._jax: Any = jax
        self._core: Any = core
        self._pxla: Any = pxla
        self._dispatch: Any = dispatch
        self._pjit: Any = pjit
        self.compiled_primitive: Callable[..., Any] = self._dispatch.xla_primitive_callable
        self.compiled_program: Callable[..., Any] = self._pjit._pjit_call_impl_python
        self._before = self.compiled_primitive, self.compiled_program
        self._avals_of = lru_cache(maxsize=2**14)(_avals_of)
        self._state = threading.local()
        self._place: tuple[Any, Any] | None = None

    def install(self) -> None:
        """Takes it, in this process."""
        self._dispatch.xla_primitive_callable = self._primitive
        self._pjit._pjit_call_impl_python = self._program

    def uninstall(self) -> None:
        """Gives it back."""
        self._dispatch.xla_primitive_callable, self._pjit._pjit_call_impl_python = self._before

    def _program(self, *args: Any, jaxpr: Any, **params: Any) -> tuple[list[Any], Any, Any, list[Any]]:
        """What `jit` gives: the outputs, and no program that could be kept."""
        if self._is_usual() and _is_plain(params) and not jaxpr.effects:
            try:
                given = [self._numbers(arg) for arg in args]
                made = _Evaluation(self._core, self._elementwise).of_closed(jaxpr, given)
                return list(map(self._array, made, jaxpr.out_avals)), None, None, []
            except Exception:  # noqa: BLE001, S110 (whatever the rules cannot do is compiled, and what is wrong is said then)
                pass
        return self.compiled_program(*args, jaxpr=jaxpr, **params)

    def _primitive(self, primitive: Any, **params: Any) -> Callable[..., Any]:
        """What computes a primitive outside of `jit`."""
        if primitive.name not in RULES and primitive.name not in ELEMENTWISE:
            return self.compiled_primitive(primitive, **params)

        def interpreted(*args: Any) -> Any:
            if self._is_usual():
                try:
                    return self._value(primitive, params, args)
                except Exception:  # noqa: BLE001, S110 (as above)
                    pass
            return self.compiled_primitive(primitive, **params)(*args)

        return interpreted

    def _value(self, primitive: Any, params: dict[str, Any], args: Sequence[Any]) -> Any:
        given = [self._numbers(arg) for arg in args]
        avals = self._avals_of(primitive, tuple(map(self._core.typeof, args)), tuple(params.items()))
        found = _result(self._elementwise, primitive, params, given, several=primitive.multiple_results)
        made = list(map(self._array, found, avals))
        return made if primitive.multiple_results else made[0]

    def _is_usual(self) -> bool:
        """Whether nothing is asked but numbers, of the processor."""
        config = self._jax.config
        if getattr(self._state, "compiling", False) or config.jax_debug_nans or config.jax_debug_infs:
            return False
        if self._place is None:
            device = self._jax.devices()[0]
            if device.platform != "cpu":
                return False
            self._place = self._jax.sharding.SingleDeviceSharding(device), [device]
        return True

    def _numbers(self, value: Any) -> Array:
        """A copy of what the candidate could change."""
        aval = self._core.typeof(value)
        if aval.dtype not in _DTYPES:
            raise NotInterpretedError
        if not isinstance(value, self._core.Array):
            return demand_normal(np.array(value, aval.dtype))
        if value.committed:
            # Where somebody has put it something may follow.
            raise NotInterpretedError
        return demand_normal(np.asarray(value))

    def _array(self, value: Array, aval: Any) -> Any:
        if value.shape != aval.shape or value.dtype != aval.dtype or self._place is None:
            raise NotInterpretedError
        sharding, devices = self._place
        return self._pxla.batched_device_put(aval, sharding, [np.asarray(value, order="C")], devices, committed=False)

    def _elementwise(self, primitive: Any, params: dict[str, Any], args: Sequence[Array]) -> Array:
        """By XLA, over one row whose length is one of few."""
        args = np.broadcast_arrays(*args)
        size = args[0].size
        length = 64
        while length < size:
            length *= 4
        if length > _LONGEST:
            raise NotInterpretedError
        rows = []
        for arg in args:
            row = np.ones(length, arg.dtype)
            row[:size] = arg.reshape(-1)
            rows.append(row)
        self._state.compiling = True
        try:
            made = self.compiled_primitive(primitive, **params)(*rows)
        finally:
            self._state.compiling = False
        return np.asarray(made)[:size].reshape(args[0].shape)


def _avals_of(primitive: Any, avals: tuple[Any, ...], params: tuple[tuple[str, Any], ...]) -> list[Any]:
    """The types of a primitive's outputs."""
    made, effects = primitive.abstract_eval(*avals, **dict(params))
    if effects:
        raise NotInterpretedError
    return list(made) if primitive.multiple_results else [made]


def _is_plain(params: dict[str, Any]) -> bool:
    """Whether a program is asked for without more about devices, memory or the compiler."""
    unsaid = {"UnspecifiedValue", "NoneType"}
    said = [params[f"{side}_{what}"] for side in ("in", "out") for what in ("shardings", "layouts")]
    return (
        all(type(entry).__name__ in unsaid for entries in said for entry in entries)
        and not any(params["donated_invars"])
        and params["ctx_mesh"].empty
        and not params["compiler_options_kvs"]
    )


def _result(
    elementwise: Callable[..., Array], primitive: Any, params: dict[str, Any], args: Sequence[Array], *, several: bool
) -> list[Array]:
    """The outputs of a primitive."""
    # XLA takes 0 for what is too small to have all its digits.
    with np.errstate(all="ignore", under="raise"):
        try:
            made = RULES[primitive.name](*args, **params)
        except (KeyError, NotInterpretedError):
            if primitive.name not in ELEMENTWISE:
                raise
            made = elementwise(primitive, params, args)
    return list(made) if several else [np.asarray(made)]


class _Evaluation:
    """The evaluation of one program."""

    def __init__(self, core: Any, elementwise: Callable[..., Array]) -> None:
        self._core, self._elementwise = core, elementwise
        self._left = _IN_LOOPS

    def of_closed(self, closed: Any, args: Sequence[Array]) -> list[Array]:
        """The outputs of a jaxpr with its constants; of one that has none, as it is."""
        consts = [demand_normal(np.array(const)) for const in getattr(closed, "consts", ())]
        return self._of(getattr(closed, "jaxpr", closed), consts, args)

    def _of(self, jaxpr: Any, consts: Sequence[Array], args: Sequence[Array]) -> list[Array]:
        values: dict[Any, Array] = {}

        def read(atom: Any) -> Array:
            return np.asarray(atom.val, atom.aval.dtype) if isinstance(atom, self._core.Literal) else values[atom]

        values.update(zip(jaxpr.constvars, consts, strict=True))
        values.update(zip(jaxpr.invars, args, strict=True))
        for equation in jaxpr.eqns:
            given = list(map(read, equation.invars))
            for variable, made in zip(equation.outvars, self._equation(equation, given), strict=True):
                if variable.aval.dtype not in _DTYPES or made.shape != variable.aval.shape:
                    raise NotInterpretedError
                values[variable] = made if made.dtype == variable.aval.dtype else made.astype(variable.aval.dtype)
        return list(map(read, jaxpr.outvars))

    def _equation(self, equation: Any, args: Sequence[Array]) -> list[Array]:
        primitive, params = equation.primitive, equation.params
        if primitive.name in _CALLS:
            return self.of_closed(params[_CALLS[primitive.name]], args)
        if primitive.name == "scan":
            return self._scan(args, **params)
        if primitive.name == "while":
            return self._while(args, **params)
        if primitive.name == "cond":
            return self._cond(args, **params)
        return _result(self._elementwise, primitive, params, args, several=primitive.multiple_results)

    def _in_loop(self, closed: Any, args: Sequence[Array]) -> list[Array]:
        self._left -= 1 + len(closed.jaxpr.eqns)
        if self._left < 0:
            raise NotInterpretedError
        return self.of_closed(closed, args)

    def _scan(
        self, args: Sequence[Array], *, jaxpr: Any, length: int, reverse: bool, num_consts: int, num_carry: int, **_: Any
    ) -> list[Array]:
        consts, carry = args[:num_consts], list(args[num_consts : num_consts + num_carry])
        along = args[num_consts + num_carry :]
        steps: list[list[Array]] = []
        for step in reversed(range(length)) if reverse else range(length):
            made = self._in_loop(jaxpr, [*consts, *carry, *(part[step] for part in along)])
            carry = made[:num_carry]
            steps.append(made[num_carry:])
        if not steps:
            raise NotInterpretedError
        stacked = [np.stack(parts[::-1] if reverse else parts) for parts in zip(*steps, strict=True)]
        return [*carry, *stacked]

    def _while(
        self, args: Sequence[Array], *, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int, **_: Any
    ) -> list[Array]:
        of_condition, of_body = args[:cond_nconsts], args[cond_nconsts : cond_nconsts + body_nconsts]
        carry = list(args[cond_nconsts + body_nconsts :])
        while self._in_loop(cond_jaxpr, [*of_condition, *carry])[0]:
            carry = self._in_loop(body_jaxpr, [*of_body, *carry])
        return carry

    def _cond(self, args: Sequence[Array], *, branches: Sequence[Any], **_: Any) -> list[Array]:
        which, *given = args
        return self.of_closed(branches[int(np.clip(int(which), 0, len(branches) - 1))], given)


_tried = threading.Event()


def interpret(modules: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Lets JAX, once it is among the modules that are loaded, take NumPy for its compiler in this process.

    It stays as it is in a version other than those whose insides are known, and where somebody wants programs that are
    optimised, and so compiled.
    """
    jax = modules.get("jax")
    if jax is None or _tried.is_set():
        return
    _tried.set()
    if environment.get("JAX_DISABLE_MOST_OPTIMIZATIONS") != "1" or not str(getattr(jax, "__version__", "")).startswith(_KNOWN):
        return
    with suppress(ImportError, AttributeError):
        Interpreter().install()
