"""Who takes part: each entry a contender's program and the variant of it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

from jcnn.conv.ways import Formulation
from jcnn.rules import Gradient

EVERYTHING = ("product", "maximum", "conv", "pool", "step")
IN_A_CALL = 20


@dataclass(frozen=True)
class Entry:
    """One column of the comparison.

    Attributes:
        name: as shown.
        program: its module in `contenders`.
        variant: what the program is told.
        kinds: the kinds of cases it takes part in.
        peer: whether it runs in the peers' virtual environment.
        left_out: by name of a case, why it takes no part unless it is asked for by its own name.
    """

    name: str
    program: str
    variant: dict[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = EVERYTHING
    peer: bool = True
    left_out: dict[str, str] = field(default_factory=dict)

    def python(self, peers: Path) -> str:
        """The interpreter it runs in."""
        return str(peers) if self.peer else sys.executable


LOOP = {"per_call": IN_A_CALL}
STEP = ("step",)
OURS, OURS_LOOP, NATIVE, LAX, LAX_LOOP = "ours", "ours, loop", "ours with oneDNN", "plain lax", "plain lax, loop"
FLAX, EQUINOX, TORCH = "Flax NNX", "Equinox", "PyTorch"

ENTRIES = (
    Entry(OURS, "ours", peer=False),
    Entry(OURS_LOOP, "ours", LOOP, STEP, peer=False),
    Entry(NATIVE, "ours_native", LOOP, ("conv", "step"), peer=False),
    Entry(LAX, "plain_lax", peer=False),
    Entry(LAX_LOOP, "plain_lax", LOOP, STEP, peer=False, left_out={"six convolutions": "left out: a step takes over a minute"}),
    Entry(FLAX, "flax_nnx", {}, STEP),
    Entry(EQUINOX, "equinox_", {}, STEP),
    Entry(f"{TORCH} eager", "pytorch"),
    Entry(f"{TORCH} channels-last", "pytorch", {"channels_last": True}, ("conv", "pool", "step")),
    Entry(f"{TORCH} compiled", "pytorch", {"compile": True}, STEP),
    Entry(f"{TORCH} compiled channels-last", "pytorch", {"compile": True, "channels_last": True}, STEP),
)


def choose(names: Sequence[str]) -> list[Entry]:
    """The entries of these programs or names; all where none is named.

    Args:
        names: programs such as "pytorch", shown names, "ours:FORMULATION/GRADIENT", or "ours:all" for every such pair.

    Raises:
        ValueError: a name that is none of these.
    """
    if not names:
        return list(ENTRIES)
    chosen: list[Entry] = []
    for name in names:
        found = [replace(entry, left_out={}) for entry in ENTRIES if name == entry.name]
        found = found or [entry for entry in ENTRIES if name == entry.program]
        if name.startswith("ours:"):
            asked = name.removeprefix("ours:")
            every = ["/".join(pair) for pair in product(get_args(Formulation), get_args(Gradient))]
            if asked != "all" and asked not in every:
                raise ValueError(f"{name}: expected ours:all or one of {', '.join(f'ours:{ops}' for ops in every)}")
            found = [Entry(f"ours:{ops}", "ours", {"ops": ops}, peer=False) for ops in every if asked in ("all", ops)]
        if not found:
            programs = ", ".join(dict.fromkeys(entry.program for entry in ENTRIES))
            raise ValueError(f"contender {name!r}: expected one of {programs}, ours:FORMULATION/GRADIENT or ours:all")
        chosen += [entry for entry in found if entry not in chosen]
    return chosen
