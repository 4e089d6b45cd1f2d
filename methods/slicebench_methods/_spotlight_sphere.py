"""Ascent of one spherical spotlight, at a cost per step that hardly depends on the number of points.

With rows a = (x, ‖x‖², 1), the weight of a point inside is linear: 1 − τ‖x − μ‖² = a · (2τμ, −τ, 1 − τ‖μ‖²). So objective
and gradient need only Σ a and Σ ℓ a over the points inside, and a step lets few points in or out.

Which ones is certified. A centre that has moved by δ and a radius that has changed by ρ since the last look at all points
cannot have moved a point across the edge if it was farther than δ + ρ from it. Only the others, the candidates, are tested
in each step; all points are looked at again once δ + ρ exceeds the slack that the candidates were chosen for. This is the
ascent of `_spotlight.ascend` up to rounding: tests are in the points' precision, everything else is float64. Arrays are
written in place and constants are arrays, because a step on small problems is little more than calls of NumPy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Points = NDArray[np.floating]
    Rows = NDArray[np.intp]

LEARNING_RATE = 1e-2
PATIENCE, DECAY, THRESHOLD = 10, 0.5, 1e-4
BETA1, BETA2, ADAM_EPS = 0.9, 0.999, 1e-8
LOOKS = 2.0 ** np.arange(1, 9)
"""Numbers of steps between two looks at all points, of which the cheapest at the present speed is chosen."""
LOOK_COST = 100_000
"""Numbers read from memory in the time that a look takes beside reading the points."""
ROUNDING = 1e-6
"""Part of the distances by which rounding may move a point."""


class Inside:
    """Points of `A` (n, d + 2), rows (x, ‖x‖², 1), inside a sphere that moves, and the sums over them.

    Attributes
    ----------
    stack : (4, d) float64
        Σ x and Σ ℓ x, the centre at the last look, and the present centre: products with it give all that a step needs.
    centre : (d,) float64
        The last row of `stack`; move it in place.
    tails : ((Σ ‖x‖², n), (Σ ℓ ‖x‖², Σ ℓ))
        Sums over the points inside, too.

    """

    centre: Array
    _before: NDArray[np.bool_]
    _now: NDArray[np.bool_]
    _value: Points
    _state: bytes
    _slack: float

    def __init__(self, A: Points, losses: Points, centre: Array, radius: float) -> None:
        n, d = len(A), A.shape[1] - 2
        self._A, self._weights = A, np.column_stack([np.ones(n), losses]).astype(np.float64)
        self.stack, self._sums, self.tails = np.zeros((4, d)), np.zeros((2, d + 2)), [[0.0, 0.0], [0.0, 0.0]]
        self._of_points, self.centre = self.stack[:2], self.stack[3]
        self._probe = np.append(np.zeros(d), [-0.5, 0]).astype(A.dtype)
        self._probe_centre = self._probe[:d]
        self._inside, self._steps = np.zeros(n, dtype=bool), 0
        self._candidates, self._before = np.arange(0), np.zeros(0, dtype=bool)
        self.centre[:] = centre
        self._look(radius, None)

    def products(self, radius: float) -> list[float]:
        """Let points in and out as a sphere of that radius demands.

        Return the products of the centre with Σ x, Σ ℓ x, the centre at the last look, and itself.
        """
        products: list[float] = np.dot(self.stack, self.centre).tolist()
        square = products[3]
        moved = math.sqrt(max(square - 2 * products[2] + self._square, 0.0)) + abs(radius - self._radius)
        self._steps += 1
        if moved > self._slack:
            self._look(radius, moved / self._steps)
        elif not len(self._candidates) or not self._crossings((square - radius * radius) / 2):
            return products
        products[:2] = np.dot(self._of_points, self.centre).tolist()
        return products

    def _crossings(self, edge: float) -> bool:
        """Test the candidates: x · μ − ‖x‖²/2 is above (‖μ‖² − radius²)/2 inside. Return whether any has crossed."""
        np.copyto(self._probe_centre, self.centre, casting="same_kind")
        np.dot(self._tested, self._probe, out=self._value)
        np.greater(self._value, edge, out=self._now)
        state = self._now.tobytes()  # faster to compare than arrays
        if state == self._state:
            return False
        where = (self._now != self._before).nonzero()[0]
        self._cross(self._candidates.take(where), self._tested.take(where, 0), self._now.take(where))
        self._state, self._now, self._before = state, self._before, self._now
        return True

    def _cross(self, rows: Rows, points: Points, entered: NDArray[np.bool_]) -> None:
        """Add `points`, at `rows` of all, to the sums if they have entered, and take them from the sums if they have left."""
        change = (self._weights.take(rows, 0).T * (2.0 * entered - 1.0)).dot(points)
        self._sums += change
        np.copyto(self._of_points, self._sums[:, :-2])
        self.tails = self._sums[:, -2:].tolist()

    def _look(self, radius: float, speed: float | None) -> None:
        """Test all points, and choose candidates for the next steps at a speed per step."""
        self._inside[self._candidates] = self._before
        np.copyto(self._probe_centre, self.centre, casting="same_kind")
        self.stack[2] = self.centre
        self._square, self._radius, self._steps = float(self.centre @ self.centre), radius, 0
        value = self._A @ self._probe
        inside = value > (self._square - radius * radius) / 2
        changed = (inside != self._inside).nonzero()[0]
        if len(changed):
            self._cross(changed, self._A.take(changed, 0), inside.take(changed))
        self._inside = inside
        self._choose(np.sqrt(np.maximum(self._square - 2 * value.astype(np.float64), 0)), radius, speed)

    def _choose(self, distances: Array, radius: float, speed: float | None) -> None:
        """Choose the slack, and as candidates the points that are nearer to the edge than it."""
        apart, n = np.abs(distances - radius), len(distances)
        rounding = ROUNDING * (radius + float(distances.max()))
        if speed is None:
            self._slack = 0.0
        else:
            near = np.searchsorted(np.sort(apart), LOOKS * speed)
            cost = (2 * n + LOOK_COST / self._A.shape[1] + near) / LOOKS + near
            self._slack = float(LOOKS[cost.argmin()]) * speed
        self._candidates = (apart <= self._slack + rounding).nonzero()[0]
        few = len(self._candidates)
        self._tested = self._A.take(self._candidates, 0) if few < n else self._A
        self._before = self._inside.take(self._candidates)
        self._state = self._before.tobytes()
        self._now, self._value = np.empty(few, dtype=bool), np.empty(few, dtype=self._A.dtype)


class Sphere:
    """Spotlight around `centre` (d,) with log precision `log_tau`, on the points of `A` (see `Inside`)."""

    def __init__(self, A: Points, losses: Points, centre: Array, log_tau: float) -> None:
        self.log_tau = log_tau
        self.inside = Inside(A, losses, centre, math.exp(-log_tau / 2))
        self._factors = np.zeros(4)

    @property
    def centre(self) -> Array:
        """The centre, to be moved in place."""
        return self.inside.centre

    def objective(self, min_weight: float, barrier: float, scale: float, gradient: Array) -> tuple[float, float, float]:
        """Return objective, total weight, and the derivative by the log precision; write that by the centre, (d,).

        The formulas are those of `_spotlight.objective`.
        """
        tau, inside = math.exp(self.log_tau), self.inside
        sums, weighted, _, square = inside.products(tau**-0.5)
        (squares, count), (weighted_squares, losses) = inside.tails
        moment = squares - 2 * sums + square * count  # Σ ‖x − μ‖²
        weighted_moment = weighted_squares - 2 * weighted + square * losses
        total = count - tau * moment
        per_weight = 1 / total if total > 0 else 0.0
        mean = (losses - tau * weighted_moment) * per_weight
        short = max(min_weight + barrier - total, 0.0)
        level = 2 * scale / barrier**2 * short - mean * per_weight
        factors = self._factors
        factors[0], factors[1] = 2 * tau * level, 2 * tau * per_weight
        factors[3] = -2 * tau * (level * count + per_weight * losses)
        np.dot(factors, inside.stack, out=gradient)
        return (
            mean - scale / barrier**2 * short**2,
            total,
            -tau * (level * moment + per_weight * weighted_moment),
        )


class Adam:
    """Adam on a centre (d,) in place, and on one more number, whose step is returned."""

    def __init__(self, d: int) -> None:
        self._both, self._moments = (
            np.zeros((2, d)),
            np.zeros((2, d)),
        )  # gradient and its square; sums of them that decay
        self.gradient, self._square = self._both
        self._first, self._second = self._moments
        self._decay = np.repeat([[BETA1], [BETA2]], d, axis=1)
        self._eps, self._rate, self._step = np.empty(()), np.empty(()), np.empty(d)
        self._number_first = self._number_second = 0.0

    def move(self, t: int, rate: float, centre: Array, derivative: float) -> float:
        """Make step `t` = 1, 2, … by `gradient` and `derivative`."""
        np.square(self.gradient, out=self._square)
        np.multiply(self._moments, self._decay, out=self._moments)
        np.add(self._moments, self._both, out=self._moments)
        rate, spread = rate / (1 - BETA1**t), math.sqrt((1 - BETA2) / (1 - BETA2**t))
        self._eps[()], self._rate[()] = ADAM_EPS / spread, rate * (1 - BETA1) / spread
        step = np.sqrt(self._second, out=self._step)
        np.add(step, self._eps, out=step)
        np.divide(self._first, step, out=step)
        np.multiply(step, self._rate, out=step)
        np.add(centre, step, out=centre)
        self._number_first = BETA1 * self._number_first + derivative
        self._number_second = BETA2 * self._number_second + derivative * derivative
        return rate * (1 - BETA1) * self._number_first / (spread * math.sqrt(self._number_second) + ADAM_EPS)


def ascend_sphere(sphere: Sphere, barriers: Array, *, min_weight: float, scale: float) -> Array:
    """Move `sphere` one step of `_spotlight.ascend` for each barrier width.

    Return objective and total weight before each step, (steps, 2).
    """
    history = np.empty((len(barriers), 2))
    adam, rate, best, stalled = Adam(len(sphere.centre)), LEARNING_RATE, math.inf, 0
    for t, barrier in enumerate(barriers.tolist(), start=1):
        value, total, derivative = sphere.objective(min_weight, barrier, scale, adam.gradient)
        history[t - 1] = value, total
        sphere.log_tau += adam.move(t, rate, sphere.centre, derivative)
        if -value < best * (1 - THRESHOLD):
            best, stalled = -value, 0
        else:
            stalled += 1
            if stalled > PATIENCE:
                rate, best, stalled = rate * DECAY, math.inf, 0
    return history
