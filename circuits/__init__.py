"""Published circuits, one module (or package) per paper.

A circuit module holds a docstring (citation, what the paper shows, what was changed here), a
function that builds the `Network`, experiments (functions with typed keyword arguments that return
a Dataset), figures, the claims of the paper, and all of that joined in one module-level
``CIRCUIT = Circuit(...)`` (see `neurodyn.experiments`). The module is named after what the circuit
shows. Nothing needs to be registered: ``neurodyn list`` finds every module here that has a
``CIRCUIT``; names that start with an underscore are helpers.
"""

# One class must not exist twice: a second copy of it would fail every isinstance.
if __name__ != "neurodyn.circuits":
    raise ImportError("import neurodyn.circuits, not circuits")
