"""What all weights have in common, and how they combine: `Weights`, `Transpose`, `Sum`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import dimension_of, real_numbers
from neurodyn.units import UnitError, format_dimension

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike

    from neurodyn.units import Dimension


class Weights(ABC):
    """A linear map ``[post, pre]`` between two populations.

    Attributes
    ----------
    shape : tuple of int
        ``(n_post, n_pre)``.
    kind : str
        ``"dense"``, ``"sparse"``, ``"low_rank"`` or ``"diagonal"``; ``"sum"`` for a `Sum`, whose
        `terms` are of the other kinds.
    dtype : numpy.dtype
        ``float32`` if the values came as that, else ``float64``.
    dim : tuple of float, or None
        Dimension of the weights if they came with a unit (the values are then in SI); None for
        plain numbers, which fit anywhere.

    Notes
    -----
    Values are copied when the object is made and shown as read-only arrays, so that neither an edit
    of the user's array nor one of ours can change a network. Operators: ``a + b``, ``a - b``,
    ``-a``, ``2.0 * a``, ``a * nd.mV``; an array or a SciPy sparse matrix may stand on either side
    of ``+``.
    """

    shape: tuple[int, int]
    kind: str
    dtype: np.dtype
    dim: Dimension | None = None
    _cache: dict[Any, Any]

    # arrays and SciPy matrices on the left leave ``array + weights`` to our __radd__
    __array_ufunc__ = None
    __array_priority__ = 100

    def _set(self, **values: Any) -> Weights:
        self.__dict__.update(values)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"weights are immutable; `{name}` cannot be set. "
            "`with_parameters` gives a new object with other values."
        )

    @property
    def n_post(self) -> int:
        """Number of postsynaptic units (rows)."""
        return self.shape[0]

    @property
    def n_pre(self) -> int:
        """Number of presynaptic units (columns)."""
        return self.shape[1]

    @property
    def terms(self) -> tuple[Weights, ...]:
        """The primitive terms: those of a `Sum`, else the object itself."""
        return (self,)

    @property
    def T(self) -> Weights:
        """The transpose ``[pre, post]``, of the same kind, sharing this object's arrays."""
        return Transpose(self)

    @property
    def kept(self) -> dict[Any, Any]:
        """What has been made of the values for kernels, by key; it goes with the object."""
        return self._cache

    #: Whether this is the transpose of the object that holds the values.
    is_transposed = False

    @property
    @abstractmethod
    def parameters(self) -> dict[str, np.ndarray]:
        """The values that may be trained, by name, as read-only arrays."""

    @abstractmethod
    def to_dense(self) -> np.ndarray:
        """The matrix ``(n_post, n_pre)`` as a new array."""

    @abstractmethod
    def with_parameters(self, **arrays: ArrayLike) -> Weights:
        """New weights of the same structure (kind, rank, sparsity pattern) with other values.

        Parameters
        ----------
        **arrays : array_like
            Values by the names of `parameters`; names left out keep their values.

        Raises
        ------
        ValueError
            For an unknown name, another shape than before, NaN or inf.
        """

    @abstractmethod
    def gradient(self, delta: ArrayLike, r: ArrayLike) -> dict[str, np.ndarray]:
        r"""Gradient of a loss with respect to every array of `parameters`.

        Pulls :math:`dL/dW_{ij} = \sum_b \delta_{bi} r_{bj}` back onto the parameters: onto the
        pattern of a sparse matrix (n x n is never formed), onto the factors of a low-rank one.

        Parameters
        ----------
        delta : array_like, (..., n_post)
            Derivative of the loss with respect to the drive ``W @ r``.
        r : array_like, (..., n_pre)
            Presynaptic activity, with the same leading axes, which are summed over.

        Returns
        -------
        dict of str to ndarray
            The shapes of `parameters`.
        """

    @abstractmethod
    def _apply(self, r: np.ndarray, transposed: bool) -> np.ndarray:
        """``r @ W.T``, or ``r @ W`` if `transposed`, for ``r`` of shape (batch, units)."""

    @abstractmethod
    def _build_kernel_arrays(self, dtype: np.dtype, transposed: bool) -> tuple[np.ndarray, ...]:
        """The arrays of `kernel_arrays` for W, or for its transpose."""

    @abstractmethod
    def _scaled(self, factor: float) -> Weights:
        """``factor * W``, of the same kind."""

    def apply(self, r: ArrayLike) -> np.ndarray:
        """The drive ``r @ W.T``; low-rank and sparse weights are never expanded.

        Parameters
        ----------
        r : array_like, (..., n_pre)
            Presynaptic activity.

        Returns
        -------
        ndarray, (..., n_post)
        """
        r = np.asarray(r)
        if r.ndim == 0 or r.shape[-1] != self.n_pre:
            raise ValueError(
                f"`r` must have shape (..., n_pre) = (..., {self.n_pre}); got {r.shape}"
            )
        flat = self._apply(r.reshape(-1, self.n_pre), False)
        return flat.reshape(*r.shape[:-1], self.n_post)

    def kernel_arrays(self, dtype: DTypeLike = np.float64) -> tuple[np.ndarray, ...]:
        """What the compiled kernels take, made once per dtype and then kept.

        ================  ==========================================================================
        kind              arrays
        ================  ==========================================================================
        dense             ``(WT,)``: W transposed, (n_pre, n_post), so ``drive = r @ WT``; its rows
                          are filled with zeros to `neurodyn._arrays.padded_size`
        sparse            ``(indptr int64, indices, data)``: W as CSR, rows are postsynaptic
        low_rank          ``(nT, mT)``: (rank, n_pre) and (rank, n_post)
        diagonal          ``(d,)``
        ================  ==========================================================================

        ``W.T.kernel_arrays(dtype)`` serves the transposed product. Indices are int32 where they
        fit, else int64.

        Parameters
        ----------
        dtype : dtype
            float64 or float32: that of the values.

        Returns
        -------
        tuple of ndarray
            C-contiguous and aligned to 64 bytes, a cache line and an AVX-512 register. They are
            shared and, only because numba compiles read-only arrays separately, writeable: a kernel
            must not write to them.
        """
        return self._kernel_arrays(dtype, False)

    def _kernel_arrays(self, dtype: DTypeLike, transposed: bool) -> tuple[np.ndarray, ...]:
        key = (np.dtype(dtype), transposed)
        if key[0] not in (np.float64, np.float32):
            raise TypeError(f"`dtype` must be float64 or float32; got {key[0]}")
        if key not in self._cache:
            self._cache[key] = self._build_kernel_arrays(*key)
        return self._cache[key]

    def _flat_pair(self, delta: ArrayLike, r: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """`delta` and `r` of `gradient`, checked, with their leading axes made one."""
        delta, r = np.asarray(delta), np.asarray(r)
        good = delta.ndim and r.ndim and delta.shape[:-1] == r.shape[:-1]
        if not good or (delta.shape[-1], r.shape[-1]) != self.shape:
            raise ValueError(
                f"`delta` and `r` must have shapes (..., {self.n_post}) and (..., {self.n_pre}) "
                f"with equal leading axes; got {delta.shape} and {r.shape}"
            )
        return delta.reshape(-1, self.n_post), r.reshape(-1, self.n_pre)

    def _updated(self, arrays: dict[str, ArrayLike]) -> dict[str, np.ndarray]:
        """`parameters` with `arrays` put in, checked."""
        values = dict(self.parameters)
        for name, value in arrays.items():
            if name not in values:
                close = get_close_matches(name, values, n=1)
                hint = f"; did you mean `{close[0]}`?" if close else ""
                raise ValueError(
                    f"`{name}` is not a parameter of {self!r}; it has {', '.join(values)}{hint}"
                )
            new = real_numbers(value, name)
            if new.shape != values[name].shape:
                raise ValueError(
                    f"`{name}` of {self!r} must have shape {values[name].shape}; got {new.shape}"
                )
            values[name] = new
        return values

    def __add__(self, other: Any) -> Weights:
        return Sum(self, other)

    def __radd__(self, other: Any) -> Weights:
        return Sum(other, self)

    def __sub__(self, other: Any) -> Weights:
        return Sum(self, -as_weights(other, "other"))

    def __rsub__(self, other: Any) -> Weights:
        return Sum(other, -self)

    def __neg__(self) -> Weights:
        return self * -1.0

    def __mul__(self, factor: Any) -> Weights:
        number, dim = real_numbers(factor, "factor"), dimension_of(factor)
        if number.ndim:
            raise TypeError(
                f"weights can be multiplied by one number; got an array of shape {number.shape}"
            )
        if None not in (dim, self.dim):
            dim = tuple(a + b for a, b in zip(dim, self.dim, strict=True))
        return self._scaled(float(number))._set(dim=dim if dim is not None else self.dim)

    def __rmul__(self, factor: Any) -> Weights:
        return self * factor

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}{self._details()})"

    def _details(self) -> str:
        return "" if self.dtype == np.float64 else f", dtype={self.dtype}"


class Transpose(Weights):
    """The transpose of other weights, tied to them: the same values, the same parameters.

    Parameters
    ----------
    other : Weights or array_like, (n_pre, n_post)
        What is transposed. ``Transpose(Transpose(W))`` is allowed and equals ``W``.

    Notes
    -----
    `parameters` and `gradient` are those *of the object that is transposed*, in its own shapes and
    under its own names, so gradients through both uses of tied weights add up by name.
    """

    def __init__(self, other: Any):
        other = as_weights(other, "other")
        self._set(other=other, shape=other.shape[::-1], kind=other.kind)
        self._set(dtype=other.dtype, dim=other.dim)

    def __reduce__(self):
        return Transpose, (self.other,)

    @property
    def terms(self) -> tuple[Weights, ...]:
        return tuple(t.T for t in self.other.terms) if self.kind == "sum" else (self,)

    @property
    def T(self) -> Weights:
        return self.other

    @property
    def kept(self) -> dict[Any, Any]:
        return self.other.kept  # kept there, this object may go

    @property
    def is_transposed(self) -> bool:
        return not self.other.is_transposed

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return self.other.parameters

    def with_parameters(self, **arrays: ArrayLike) -> Transpose:
        return Transpose(self.other.with_parameters(**arrays))

    def to_dense(self) -> np.ndarray:
        return self.other.to_dense().T.copy()

    def gradient(self, delta: ArrayLike, r: ArrayLike) -> dict[str, np.ndarray]:
        self._flat_pair(delta, r)  # so that a wrong shape is reported in this object's terms
        return self.other.gradient(r, delta)

    def _apply(self, r: np.ndarray, transposed: bool) -> np.ndarray:
        return self.other._apply(r, not transposed)

    def _kernel_arrays(self, dtype: DTypeLike, transposed: bool) -> tuple[np.ndarray, ...]:
        return self.other._kernel_arrays(dtype, not transposed)

    def _build_kernel_arrays(self, dtype: np.dtype, transposed: bool) -> tuple[np.ndarray, ...]:
        return self.other._build_kernel_arrays(dtype, not transposed)

    def _scaled(self, factor: float) -> Transpose:
        return Transpose(self.other._scaled(factor))

    def __mul__(self, factor: Any) -> Transpose:
        return Transpose(self.other * factor)

    def __repr__(self) -> str:
        return f"Transpose({self.other!r})"


class Sum(Weights):
    """The sum of weights of the same shape, each kept in its own form; ``a + b`` makes one.

    Parameters
    ----------
    *terms : Weights or array_like, (n_post, n_pre)
        Sums among them are flattened.

    Notes
    -----
    The parameters are named ``"<index of the term>.<name>"``, for example ``"0.m"`` and ``"1.W"``.
    """

    kind = "sum"

    def __init__(self, *terms: Any):
        flat = tuple(
            t for k, term in enumerate(terms) for t in as_weights(term, f"terms[{k}]").terms
        )
        if not flat:
            raise ValueError("`Sum` needs at least one term")
        for term in flat[1:]:
            if term.shape != flat[0].shape:
                raise ValueError(
                    "weights that are added must have one shape (post, pre); "
                    f"got {flat[0].shape} and {term.shape}"
                )
        dims = {t.dim for t in flat} - {None}
        if len(dims) > 1:
            raise UnitError(
                f"cannot add weights in {' and '.join(sorted(map(format_dimension, dims)))}"
            )
        self._set(dim=dims.pop() if dims else None, _terms=flat)
        self._set(shape=flat[0].shape, dtype=np.result_type(*(t.dtype for t in flat)))

    def __reduce__(self):
        return Sum, self._terms

    @property
    def terms(self) -> tuple[Weights, ...]:
        return self._terms

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return self._prefixed(lambda term: term.parameters)

    def with_parameters(self, **arrays: ArrayLike) -> Sum:
        values = self._updated(arrays)
        changed = [dict[str, Any]() for _ in self._terms]
        for name in arrays:
            index, own = name.split(".", 1)
            changed[int(index)][own] = values[name]
        pairs = zip(self._terms, changed, strict=True)
        return Sum(*(term.with_parameters(**new) if new else term for term, new in pairs))

    def to_dense(self) -> np.ndarray:
        return sum((t.to_dense() for t in self._terms[1:]), self._terms[0].to_dense())

    def gradient(self, delta: ArrayLike, r: ArrayLike) -> dict[str, np.ndarray]:
        return self._prefixed(lambda term: term.gradient(delta, r))

    def _prefixed(self, of: Callable[[Weights], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {f"{k}.{key}": v for k, t in enumerate(self._terms) for key, v in of(t).items()}

    def _apply(self, r: np.ndarray, transposed: bool) -> np.ndarray:
        first, *rest = (t._apply(r, transposed) for t in self._terms)
        return sum(rest, first)

    def _kernel_arrays(self, dtype: DTypeLike, transposed: bool) -> tuple[np.ndarray, ...]:
        raise TypeError("a `Sum` has no kernel arrays of its own; take those of its `terms`")

    _build_kernel_arrays = _kernel_arrays

    def _scaled(self, factor: float) -> Sum:
        return Sum(*(t._scaled(factor) for t in self._terms))

    def __mul__(self, factor: Any) -> Sum:
        return Sum(*(t * factor for t in self._terms))

    def __repr__(self) -> str:
        return f"Sum({', '.join(map(repr, self._terms))})"


def as_weights(value: Any, name: str) -> Weights:
    # that function knows every class of weights, so its module cannot be imported from here earlier
    from neurodyn.weights.matrices import as_weights

    return as_weights(value, name)
