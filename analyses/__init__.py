"""Analyses, one module per question.

An analysis is a function that takes any `Network` (or plain arrays) and returns a frozen result
with its own evidence: residuals, convergence history, how many starts failed. It raises, or says
``converged=False``; it never returns a number it does not trust.
"""

# One class must not exist twice: a second copy of it would fail every isinstance.
if __name__ != "neurodyn.analyses":
    raise ImportError("import neurodyn.analyses, not analyses")
