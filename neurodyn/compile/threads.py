"""Threads that share one trial: text for generated modules with which they wait for each other.

Each thread has a range of units in its charge. Between the points at which they wait, each reads
only what the others wrote before the last one. Waiting is a matter of 0.2 us on idle cores, against
2 us for a parallel loop of numba and 50 us for a barrier of Python's.
"""

#: Atomic access to an array of int64, one cache line a thread, and waiting built upon it.
SOURCE = '''
_yield_core = types.ExternalFunction("sched_yield", types.int32())


@intrinsic
def _load_shared(typing_context, array, index):
    def write(context, builder, signature, args):
        kind = signature.args[0]
        held = context.make_array(kind)(context, builder, args[0])
        place = cgutils.get_item_pointer(context, builder, kind, held, [args[1]])
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(array, types.int64), write


@intrinsic
def _store_shared(typing_context, array, index, value):
    def write(context, builder, signature, args):
        kind = signature.args[0]
        held = context.make_array(kind)(context, builder, args[0])
        place = cgutils.get_item_pointer(context, builder, kind, held, [args[1]])
        builder.store_atomic(args[2], place, "release", 8)
        return context.get_dummy_value()

    return types.none(array, types.int64, types.int64), write


@njit(**INNER)
def wait_for_all(progress, part, reached):
    """Return when every part has come as far as `reached`."""
    _store_shared(progress, 8 * part, reached)
    looks = 0
    for other in range(progress.size // 8):
        while _load_shared(progress, 8 * other) < reached:
            looks += 1
            if looks > 2000:  # another process may need this core
                _yield_core()
'''

#: What the text above needs imported.
IMPORTS = """\
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
"""
