"""Bifurcations of equilibria between two points of a curve: found, and told apart.

Test functions and normal forms are those of Kuznetsov, Elements of Applied Bifurcation Theory
(2004): fold eq. 5.27 and following, Hopf eq. 5.62, branch points section 10.2.
Second and third derivatives are central differences of the exact Jacobian along single directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodyn.analyses.phase_space._curves import Curve, NotFound, Point

#: Below this a coefficient in scaled coordinates counts as zero.
_ZERO = 1e-5
#: Steps of second and third differences, scaled.
_H2, _H3 = 1e-4, 1e-3
#: Bifurcations closer than this part of a step are one; a fold seen at a branch point is no fold.
_TOGETHER, _AT_BRANCH_POINT = 1e-6, 1e-2


@dataclass(frozen=True)
class Bifurcation:
    """A point where the equilibria of a branch change in number or stability.

    Attributes
    ----------
    kind : str
        "fold", "Hopf", "pitchfork", "transcritical", or "degenerate": several eigenvalues, or
        coefficients that are zero where they must not be.
    value : float
        Of the parameter.
    state : ndarray, (n_states,)
    after : int
        It lies between the points `after` and ``after + 1`` of the branch.
    eigenvalues : ndarray of complex, (n_states,)
        At the point; that which crosses is zero, or a pair on the imaginary axis.
    angular_frequency : float
        Of the cycle that is born at a Hopf point, rad per unit of time; else NaN.
    criticality : str
        "supercritical", "subcritical", or "" where it has no meaning or is not certain.
    coefficient : float
        Fold and transcritical: the quadratic coefficient ``psi B(phi, phi)/2``, with ``psi phi =
        1``. Pitchfork: the cubic one. Hopf: the first Lyapunov coefficient. All for a critical
        eigenvector of length 1, in natural units; those of a pitchfork and of a Hopf point are
        negative if it is supercritical.
    direction : ndarray, (n_states,)
        Critical eigenvector, real part at a Hopf point.
    residual : float
        Real part of the eigenvalues that should be zero, relative to the largest nearby.
    evidence : str
    """

    kind: str
    value: float
    state: np.ndarray
    after: int
    eigenvalues: np.ndarray = field(repr=False)
    angular_frequency: float
    criticality: str
    coefficient: float
    direction: np.ndarray = field(repr=False)
    residual: float
    evidence: str = field(repr=False)
    _tangents: tuple = field(repr=False, default=())

    def __repr__(self) -> str:
        name = " ".join(filter(None, (self.criticality, self.kind)))
        return f"<{name} at {self.value:.7g}>"


def between(curve: Curve, a: Point, b: Point, after: int) -> tuple[list[Bifurcation], list[str]]:
    """Bifurcations on the curve from `a` to `b`, in order, and what could not be resolved."""
    length = float(a.tangent @ (b.v - a.v))
    found: list[tuple[float, Point, str]] = []
    notes: list[str] = []

    def look(test: Callable[[Point], float], name: str) -> None:
        try:
            s, point = _root(curve, a, b, length, test)
            found.append((s / length, point, name))
        except (NotFound, ValueError, np.linalg.LinAlgError) as error:
            notes.append(_not_located(name, curve, a, b, error))

    if a.sign * b.sign < 0:
        try:
            point = _branch_point(curve, a, b)
            found.append((float(a.tangent @ (point.v - a.v)) / length, point, "branch point"))
        except (NotFound, np.linalg.LinAlgError) as error:
            notes.append(_not_located("branch point", curve, a, b, error))
    if a.tangent[-1] * b.tangent[-1] < 0:
        look(lambda p: float(p.tangent[-1]), "fold")
    low, high = sorted((a.n_unstable, b.n_unstable))
    for m in range(low, high):
        look(lambda p, m=m: float(p.eigenvalues[m].real), "crossing")
    merged = _merged(sorted(found, key=lambda f: f[0]))
    size = max(float(np.abs(p.eigenvalues).max()) for p in (a, b))
    return [_classified(curve, p, names, n, after, size) for p, names, n in merged], notes


def _root(curve: Curve, a: Point, b: Point, length: float, test) -> tuple[float, Point]:
    """Arclength from `a` and point where `test` changes its sign."""
    from scipy.optimize import brentq

    points = {0.0: a, length: b}

    def at(s: float) -> float:
        if s not in points:
            points[s] = curve.step(a, s)
        return test(points[s])

    s = brentq(at, 0.0, length, xtol=1e-14 * length, rtol=1e-14, maxiter=100)
    at(s)
    return s, points[s]


def _not_located(name: str, curve: Curve, a: Point, b: Point, error: Exception) -> str:
    low, high = (p.v[-1] * curve.scale[-1] for p in (a, b))
    return f"{name} between {low:.6g} and {high:.6g} not located: {error}"


def _branch_point(curve: Curve, a: Point, b: Point) -> Point:
    """The branch point between `a` and `b`, where the corrector along the branch is singular.

    Newton's method on G + mu psi = 0, G_v' psi = 0, psi psi = 1, which is regular there (Moore
    1980); the derivative of G_v' psi is by differences. The point's tangent is the chord.
    """
    n = a.v.size - 1
    # the determinant is smooth along the branch
    shares = np.exp(np.clip(b.log_det - a.log_det, -50, 50))
    v = a.v + (b.v - a.v) / (1 + shares)
    psi = np.linalg.svd(curve.derivative(v)[0])[0][:, -1]
    mu = 0.0
    for _ in range(20):
        G, _ = curve.derivative(v)
        residual = np.concatenate(
            [curve.rows * curve.field(v) + mu * psi, G.T @ psi, [psi @ psi - 1]]
        )
        hessian = np.empty((n + 1, n + 1))
        for k in range(n + 1):
            e = _H2 * (np.arange(n + 1) == k)
            up, down = (curve.derivative(v + sign * e)[0] for sign in (1, -1))
            hessian[:, k] = (up - down).T @ psi / (2 * _H2)
        column = np.zeros((n + 1, 1))
        matrix = np.block([
            [G, psi[:, None], mu * np.eye(n)],
            [hessian, column, G.T],
            [column.T, np.zeros((1, 1)), 2 * psi[None]],
        ])  # fmt: skip
        step = np.linalg.solve(matrix, -residual)
        v, mu, psi = v + step[: n + 1], mu + step[n + 1], psi + step[n + 2 :]
        if np.abs(step[: n + 1]).max() < 1e-9:
            break
    else:
        raise NotFound("Newton's method did not converge")
    chord = b.v - a.v
    part = (v - a.v) @ chord / (chord @ chord)
    if not (-0.01 < part < 1.01) or abs(mu) > 1e-9:
        raise NotFound("the branch point found is another one")
    point = curve.point(v, a.tangent)
    point.tangent = chord / np.linalg.norm(chord)
    return point


def _merged(found) -> list[tuple[Point, set[str], int]]:
    """Test functions that change their sign together, with the number of eigenvalues that cross."""
    groups: list[tuple[float, dict[str, Point], int]] = []
    for s, point, name in found:
        if groups:
            s0, points, n = groups[-1]
            near = _AT_BRANCH_POINT if "branch point" in {name, *points} else _TOGETHER
            if s - s0 < near:
                groups[-1] = (s, {name: point, **points}, n + (name == "crossing"))
                continue
        groups.append((s, {name: point}, int(name == "crossing")))
    sharpest = ("branch point", "fold", "crossing")
    return [
        (next(points[name] for name in sharpest if name in points), set(points), n)
        for _, points, n in groups
    ]


def _classified(
    curve: Curve, point: Point, names: set[str], n_crossing: int, after: int, size: float
) -> Bifurcation:
    """The bifurcation at `point`; `size` is that of the eigenvalues on either side."""
    values = point.eigenvalues
    critical = values[np.argsort(np.abs(values.real))[: max(1, n_crossing)]]
    oscillates = np.abs(critical.imag) > 1e-7 * size
    local = _Local(curve, point, size)
    common = dict(
        value=float(point.v[-1] * curve.scale[-1]), state=point.v[:-1] * curve.scale[:-1],
        after=after, eigenvalues=values,
        residual=float(np.abs(critical.real).max() / size),
    )  # fmt: skip
    if names == {"crossing"}:
        if n_crossing == 2 and oscillates.all():
            return Bifurcation(**common, **local.hopf(float(np.abs(critical.imag).max())))
        if n_crossing > 1:
            what = "complex" if oscillates.any() else "real"
            return Bifurcation(**common, **_degenerate(
                f"{n_crossing} eigenvalues cross together, some {what}", local.n))  # fmt: skip
    if n_crossing > 1:
        what = " and ".join(sorted(names - {"crossing"}))
        return Bifurcation(**common, **_degenerate(
            f"{n_crossing} eigenvalues cross at a {what}", local.n))  # fmt: skip
    if "branch point" in names:
        return Bifurcation(**common, **local.branch_point())
    return Bifurcation(**common, **local.fold())


def _degenerate(why: str, n: int) -> dict:
    return dict(kind="degenerate", angular_frequency=np.nan, criticality="", coefficient=np.nan,
                direction=np.full(n, np.nan), evidence=why)  # fmt: skip


class _Local:
    """Derivatives at a point of a curve, along directions in scaled states."""

    def __init__(self, curve: Curve, point: Point, size: float):
        self.curve, self.point, self.size = curve, point, size
        self.n = point.v.size - 1
        self.scale = curve.scale[:-1]

    def jacobian(self, direction=None, h: float = 0.0) -> np.ndarray:
        """dF/dx in scaled coordinates on both sides, at the state plus `h` times `direction`."""
        v = self.point.v.copy()
        if direction is not None:
            v[:-1] += h * direction
        return self.curve.jacobian(v) * self.scale / self.scale[:, None]

    def second(self, a: np.ndarray, h: float = _H2) -> np.ndarray:
        """Matrix B(a, .)."""
        return (self.jacobian(a, h) - self.jacobian(a, -h)) / (2 * h)

    def third(self, a: np.ndarray, middle: np.ndarray, h: float = _H3) -> np.ndarray:
        """Matrix C(a, a, .), with `middle` the Jacobian at the point."""
        return (self.jacobian(a, h) - 2 * middle + self.jacobian(a, -h)) / h**2

    def null_vectors(self, A: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Right and left vectors of the smallest singular value, and it relative to `size`."""
        left, s, right = np.linalg.svd(A)
        return right[-1], left[:, -1], float(s[-1] / self.size)

    def natural(self, phi: np.ndarray) -> tuple[np.ndarray, float]:
        """A scaled vector in natural units with length 1, and what it was divided by."""
        vector = phi * self.scale
        length = float(np.linalg.norm(vector))
        return vector / length, length

    def fold(self) -> dict:
        A = self.jacobian()
        phi, psi, singular = self.null_vectors(A)
        overlap = psi @ phi
        if abs(overlap) < 1e-7:
            return _degenerate("a double zero eigenvalue (Bogdanov-Takens)", self.n)
        phi = phi * np.sign(phi[np.argmax(np.abs(phi))])
        psi = psi / (psi @ phi)
        quadratic = 0.5 * psi @ self.second(phi) @ phi
        speed = psi @ (self.curve.by_parameter(self.point.v) / self.scale) * self.curve.scale[-1]
        vector, length = self.natural(phi)
        evidence = (f"relative smallest singular value {singular:.1e}, quadratic coefficient "
                    f"{quadratic:.3g}, drive by the parameter {speed:.3g} (scaled)")  # fmt: skip
        if abs(quadratic) < _ZERO * self.size or abs(speed) < _ZERO * self.size:
            return {**_degenerate(evidence, self.n), "direction": vector}
        return dict(kind="fold", angular_frequency=np.nan, criticality="",
                    coefficient=float(quadratic / length), direction=vector,
                    evidence=evidence)  # fmt: skip

    def branch_point(self) -> dict:
        A = self.jacobian()
        phi, psi, singular = self.null_vectors(A)
        if abs(psi @ phi) < 1e-7:
            return _degenerate("a double zero eigenvalue", self.n)
        phi = phi * np.sign(phi[np.argmax(np.abs(phi))])
        psi = psi / (psi @ phi)
        B = self.second(phi)
        quadratic = 0.5 * psi @ B @ phi
        vector, length = self.natural(phi)
        evidence = (f"relative smallest singular value {singular:.1e}, quadratic coefficient "
                    f"{quadratic:.3g} (scaled)")  # fmt: skip
        tangents = self._tangents(psi)
        if not tangents:
            why = f"{evidence}; no two branches cross"
            return {**_degenerate(why, self.n), "direction": vector}
        common = dict(angular_frequency=np.nan, direction=vector, evidence=evidence,
                      _tangents=tangents)  # fmt: skip
        if abs(quadratic) > _ZERO * self.size:
            return dict(kind="transcritical", criticality="", coefficient=float(quadratic / length),
                        **common)  # fmt: skip
        # pitchfork: x = phi y - w y**2/2 follows the centre manifold, A w = B(phi, phi), psi w = 0
        bordered = np.block([[A, psi[:, None]], [phi[None], np.zeros((1, 1))]])
        w = np.linalg.solve(bordered, np.append(B @ phi, 0.0))[:-1]
        cubic = psi @ (self.third(phi, A) @ phi / 6 - B @ w / 2)
        criticality = ""
        if abs(cubic) > _ZERO * self.size:
            criticality = "supercritical" if cubic < 0 else "subcritical"
        return dict(kind="pitchfork", criticality=criticality,
                    coefficient=float(cubic / length**2), **common)  # fmt: skip

    def _tangents(self, psi: np.ndarray) -> tuple[np.ndarray, ...]:
        """Scaled tangents of the branch at hand and of the one that crosses it.

        Both solve the algebraic branching equation psi F_vv(t, t) = 0 in the null space of
        [F_x F_p]: two directions of a plane. None if it has no two real solutions.
        """
        G, _ = self.curve.derivative(self.point.v)
        e1, e2 = np.linalg.svd(G)[2][-2:]
        middle = self.curve.field(self.point.v)

        def bend(t: np.ndarray) -> float:
            ends = sum(self.curve.field(self.point.v + h * t) for h in (-_H3, _H3))
            return float(psi @ ((ends - 2 * middle) / self.scale) / _H3**2)

        b11, b22 = bend(e1), bend(e2)
        b12 = bend((e1 + e2) / np.sqrt(2)) - (b11 + b22) / 2
        mean, half = (b11 + b22) / 2, (b11 - b22) / 2
        size = np.hypot(half, b12)
        if size < _ZERO * self.size or abs(mean) > size:
            return ()
        angles = (np.arctan2(b12, half) + np.array([-1, 1]) * np.arccos(-mean / size)) / 2
        both = [np.cos(angle) * e1 + np.sin(angle) * e2 for angle in angles]
        both = [t * np.sign(t[np.argmax(np.abs(t))]) for t in both]  # the same in every run
        return tuple(sorted(both, key=lambda t: -abs(t @ self.point.tangent)))

    def hopf(self, omega: float) -> dict:
        A = self.jacobian()
        values, vectors = np.linalg.eig(A)
        q = vectors[:, np.argmin(np.abs(values - 1j * omega))]
        q = q / np.linalg.norm(q)
        values, vectors = np.linalg.eig(A.T)
        p = vectors[:, np.argmin(np.abs(values + 1j * omega))]
        p = p / np.conj(np.vdot(p, q))  # <p, q> = 1
        first, again = (self._lyapunov_coefficient(A, p, q, omega, k) for k in (1.0, 2.0))
        certain = abs(first - again) < 0.1 * abs(first) and abs(first) > 1e-6 * omega / 2
        criticality = ("supercritical" if first < 0 else "subcritical") if certain else ""
        vector = q * self.scale
        length = float(np.linalg.norm(vector))
        return dict(
            kind="Hopf", angular_frequency=omega, criticality=criticality,
            coefficient=float(first / length**2), direction=vector.real / length,
            evidence=f"first Lyapunov coefficient {first:.4g}, with twice the step of differences "
                     f"{again:.4g} (scaled)",
        )  # fmt: skip

    def _lyapunov_coefficient(self, A, p, q, omega: float, wider: float) -> float:
        """Kuznetsov (2004), eq. 5.62, for Re and Im of q as directions."""
        a, b = q.real, q.imag
        Ba, Bb = (self.second(d, wider * _H2) for d in (a, b))
        b_qq = Ba @ a - Bb @ b + 2j * Ba @ b
        b_qc = Ba @ a + Bb @ b
        cubic = (self.third(a, A, wider * _H3) + self.third(b, A, wider * _H3)) @ q
        B_q, B_c = Ba + 1j * Bb, Ba - 1j * Bb
        h11 = np.linalg.solve(A, b_qc)
        h20 = np.linalg.solve(2j * omega * np.eye(self.n) - A, b_qq)
        inner = np.vdot(p, cubic) - 2 * np.vdot(p, B_q @ h11) + np.vdot(p, B_c @ h20)
        return float(inner.real / (2 * omega))
