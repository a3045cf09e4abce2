"""Published tables and reference values, each with its source.

Files (csv, json, npz) stand beside this one and are read with ``importlib.resources.files``, so
that they are found in a checkout and in an installed wheel alike. Every file names where its
numbers are published; data that may not be redistributed do not belong here.
"""

# Reached as `data`, a file would be found in a checkout and missing after installation.
if __name__ != "neurodyn.data":
    raise ImportError("import neurodyn.data, not data")
