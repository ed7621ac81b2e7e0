"""A jaxpr's value by the rules for its primitives; and JAX made to take it wherever it would compile a program.

What is compiled runs once, as hardly any case has the shapes of another: 15 ms for every operation, of which its numbers take
some microseconds. Only the last step is another: what JAX traces, checks and raises it does as ever, and everything the rules
do not know is compiled.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .primitives import ELEMENTWISE, RULES, NotInterpretedError

Array = np.ndarray

_KNOWN = ("0.10.",)
"""The versions of JAX whose insides are as they are taken here."""

_DTYPES = frozenset("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64".split())
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
    """Takes the place of the compiler in this process."""

    def __init__(self) -> None:
        from jax._src import core, dispatch, pjit
        from jax._src.interpreters import pxla

        self._core, self._pxla = core, pxla
        self._compiled_primitive = dispatch.xla_primitive_callable
        self._compiled_program = pjit._pjit_call_impl_python  # noqa: SLF001 (the one place where JAX compiles)
        self._state = threading.local()
        self._place: tuple[Any, Any] | None = None
        dispatch.xla_primitive_callable = self._primitive
        pjit._pjit_call_impl_python = self._program  # noqa: SLF001

    def _program(self, *args: Any, jaxpr: Any, **params: Any) -> tuple[list[Any], Any, Any, list[Any]]:
        """What `jit` gives: the outputs, and no program that could be kept."""
        if self._is_usual() and _is_plain(params) and not jaxpr.effects:
            try:
                given = [self._numbers(arg) for arg in args]
                made = _Evaluation(self._core, self._elementwise).of_closed(jaxpr, given)
                return list(map(self._array, made, jaxpr.out_avals)), None, None, []
            except Exception:  # noqa: BLE001, S110 (whatever the rules cannot do is compiled, and what is wrong is said then)
                pass
        return self._compiled_program(*args, jaxpr=jaxpr, **params)

    def _primitive(self, primitive: Any, **params: Any) -> Callable[..., Any]:
        """What computes a primitive outside of `jit`."""
        compiled = self._compiled_primitive(primitive, **params)
        if primitive.name not in RULES and primitive.name not in ELEMENTWISE:
            return compiled

        def interpreted(*args: Any) -> Any:
            if self._is_usual():
                try:
                    return self._value(primitive, params, args)
                except Exception:  # noqa: BLE001, S110 (as above)
                    pass
            return compiled(*args)

        return interpreted

    def _value(self, primitive: Any, params: dict[str, Any], args: Sequence[Any]) -> Any:
        avals, effects = primitive.abstract_eval(*map(self._core.typeof, args), **params)
        if effects:
            raise NotInterpretedError
        several = primitive.multiple_results
        found = _result(self._elementwise, primitive, params, [self._numbers(arg) for arg in args], several=several)
        made = list(map(self._array, found, avals if several else [avals]))
        return made if several else made[0]

    def _is_usual(self) -> bool:
        """Whether nothing is asked but numbers, on the one device that shares its memory with NumPy."""
        import jax

        if getattr(self._state, "compiling", False) or jax.config.jax_debug_nans or jax.config.jax_debug_infs:
            return False
        if self._place is None:
            devices = jax.devices()
            if len(devices) != 1 or devices[0].platform != "cpu":
                return False
            self._place = jax.sharding.SingleDeviceSharding(devices[0]), devices
        return True

    def _numbers(self, value: Any) -> Array:
        """A copy of what the candidate could change."""
        aval = self._core.typeof(value)
        if str(aval.dtype) not in _DTYPES:
            raise NotInterpretedError
        return np.asarray(value) if isinstance(value, self._core.Array) else np.array(value, aval.dtype)

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
            made = self._compiled_primitive(primitive, **params)(*rows)
        finally:
            self._state.compiling = False
        return np.asarray(made)[:size].reshape(args[0].shape)


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
    rule = RULES.get(primitive.name)
    with np.errstate(all="ignore"):
        try:
            if rule is None:
                raise NotInterpretedError
            made = rule(*args, **params)
        except NotInterpretedError:
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
        consts = [np.array(const) for const in getattr(closed, "consts", ())]
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
                if str(variable.aval.dtype) not in _DTYPES or made.shape != variable.aval.shape:
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
        self._left -= len(closed.jaxpr.eqns)
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


_installed = threading.Lock()


def interpret(modules: dict[str, Any]) -> None:
    """Lets JAX, once it is among the modules that are loaded, take NumPy for its compiler in this process.

    Of another version than those whose insides are known it stays as it is.
    """
    jax = modules.get("jax")
    version = getattr(jax, "__version__", "")
    if not str(version).startswith(_KNOWN) or not _installed.acquire(blocking=False):
        return
    try:
        Interpreter()
    except (ImportError, AttributeError):
        return
