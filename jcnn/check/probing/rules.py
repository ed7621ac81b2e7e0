"""A rule: everything that is said of how an output is computed, from which its terms follow in any call."""

from dataclasses import dataclass

import numpy as np

from jcnn.check.probing.coefficients import Factor
from jcnn.check.probing.conditions import Explained
from jcnn.check.probing.rearrangements import Rearrangement
from jcnn.check.probing.relations import Relation
from jcnn.check.probing.spaces import COORDINATES, Terms
from jcnn.check.probing.winners import Winner, taken

Array = np.ndarray


@dataclass(frozen=True)
class Rule:
    """How an output is computed. What is left out is right.

    Attributes:
        relations: which number meets which, all that there are to join.
        winner: which pixel of a window is taken, of a maximum.
        there: which of the products that follow are there; None: all.
        factor: what multiplies them.
        moved: an array in another order; then all else is right.
        nothing: it is 0 everywhere.
        averaged: each term is divided by the number of terms of its output.
    """

    relations: tuple[Relation, ...] = ()
    winner: Winner | None = None
    there: Explained | None = None
    factor: Factor | None = None
    moved: Rearrangement | None = None
    nothing: bool = False
    averaged: bool = False

    def present(self, terms: Terms) -> Array:
        """Where there is a term that follows the rule."""
        coefficients = self.coefficients(terms)
        return np.zeros(len(terms.right), bool) if coefficients is None else coefficients != 0

    def coefficients(self, terms: Terms) -> Array | None:
        """What a candidate adds that follows the rule, in the geometry of these terms; None where it says nothing of it."""
        if self.nothing:
            return np.zeros_like(terms.right)
        if self.moved is not None:
            return self.moved.moved(terms)
        if not self.relations:
            coefficients = terms.right
        else:
            mask = np.logical_and.reduce([relation.holds(terms) for relation in self.relations])
            if self.winner is not None:
                mask = taken(terms, mask, self.winner)
            coefficients = np.where(mask, averages(terms, mask) if self.averaged else usual_coefficients(terms), 0.0)
        if self.there is not None:
            coefficients = np.where(self.there.holds(terms), coefficients, 0.0)
        return coefficients if self.factor is None else coefficients * self.factor.of(terms)


def usual_coefficients(terms: Terms) -> Array:
    """For every product the right coefficient of those of the same output: 1, or of a mean 1 over the number of pixels."""
    usual = np.ones_like(terms.right)
    there = terms.right != 0
    if np.all(terms.right[there] == 1) or "i" not in terms.space.at:
        return usual
    output = np.ravel_multi_index(tuple(terms.space.at[name] for name in COORDINATES["output"]), terms.space.shape_of("output"))
    of_output = np.ones(int(np.prod(terms.space.shape_of("output"))))
    of_output[output[there]] = terms.right[there]
    return of_output[output]


def averages(terms: Terms, mask: Array) -> Array:
    """For every product 1 over the number of products of its output that are in the mask."""
    output = np.ravel_multi_index(tuple(terms.space.at[name] for name in COORDINATES["output"]), terms.space.shape_of("output"))
    count = np.bincount(output[mask], minlength=int(np.prod(terms.space.shape_of("output"))))
    return 1 / np.maximum(count, 1)[output]
