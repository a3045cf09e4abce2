"""The error of a run whose state is no longer finite."""

from __future__ import annotations


class SimulationDiverged(ArithmeticError):
    """A state became infinite or NaN; the message says which, where and when.

    Attributes
    ----------
    variable : str
        Full name of the first state that is not finite.
    trial, unit : int
    time : float
        Beginning of the first step whose result is not finite, s.
    dataset : xarray.Dataset
        All samples before that time and, as final state, the states at that time: a run with
        another solver can go on from there, ``initial=error.dataset``.
    """

    def __init__(self, message: str, variable: str, trial: int, unit: int, time: float, dataset):
        super().__init__(message)
        self.variable = variable
        self.trial = trial
        self.unit = unit
        self.time = time
        self.dataset = dataset

    def __reduce__(self):  # by itself an exception is pickled with nothing but its message
        details = (self.variable, self.trial, self.unit, self.time, self.dataset)
        return type(self), (str(self), *details)
