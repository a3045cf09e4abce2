"""Gradients found as time goes on: RTRL, e-prop and RFLO, feedback alignment; and BPTT beside them.

A rule (`neurodyn.learning.online.rules`) is given to `find_gradients`, to `train(...,
gradient=rule)`, or to an `OnlineLearner`, which updates weights while time goes on.
"""

from neurodyn.learning.online.angles import gradient_angle
from neurodyn.learning.online.learner import OnlineLearner
from neurodyn.learning.online.rule_gradients import find_gradients
from neurodyn.learning.online.rules import BPTT, RFLO, RTRL, EProp, FeedbackAlignment, GradientRule

__all__ = [
    "BPTT",
    "RFLO",
    "RTRL",
    "EProp",
    "FeedbackAlignment",
    "GradientRule",
    "OnlineLearner",
    "find_gradients",
    "gradient_angle",
]
