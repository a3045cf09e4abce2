"""Reading ahead of memory that is needed soon: text for generated modules that deliver spikes.

A spike's synapses of one delay are a short run somewhere in gigabytes of weights. Where it ends is
only known when its bounds have come from memory, and a processor that waits for that cannot look at
the next run. Told beforehand, it fetches many runs at a time.
"""

#: ``_prefetch(array, index)`` asks for the cache line of an element, and changes nothing.
SOURCE = '''
@intrinsic
def _prefetch(typing_context, array, index):
    def write(context, builder, signature, args):
        held = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.bitcast(builder.gep(held.data, [args[1]]), cgutils.voidptr_t)
        kind = cgutils.ir.FunctionType(
            cgutils.ir.VoidType(), [cgutils.voidptr_t, *[cgutils.int32_t] * 3]
        )
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        to_read, keep, data = 0, 3, 1
        builder.call(fetch, [place, *map(cgutils.int32_t, (to_read, keep, data))])
        return context.get_dummy_value()

    return types.none(array, types.uint64), write
'''
