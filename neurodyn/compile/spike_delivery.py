"""Spikes, from the units that emit them to the units that they reach: text for generated modules.

Spikes are kept as numbers of units, ``spikes[slot, trial, place]``, in a ring of time steps that is
a power of two long; ``counts[slot, trial, part]`` says how many there are. A *part* is a range of
units in the charge of one thread; part p writes from place ``parts[p]`` on. So the spikes of a step
are in ascending order of units however many parts there are, every sum over them has one order, and
a run gives the same bytes on any number of threads.

Delivery functions add what arrives in this step onto ``out`` (trial, unit), the units from number
``first`` on; ``targets`` of sparse weights count from there. Where synapses have several delays,
all that the spikes of one population reach through them are segments of the rows of ``pending``
(slot, trial, place). *Together*, there is one slot, for what arrives in this step, looked for among
the spikes of the last ones. *Scheduled*, there is one for each of the next steps, and spikes add to
them when they are emitted; sums then go by step of emission and unit. Indices are unsigned because
for a signed one numba allows for counting from the end.
"""

import numpy as np

#: Flags of the copied functions, see `neurodyn.compile.library.HEADER`.
DEFAULT_FLAGS = "INNER"

# ruff: noqa: F821  (ZERO, real and others are defined by the generated module)

_WORD_8 = 8


def collect_spikes(flags, words, trial, size, first, spikes, slot, place):
    """Write the units of `trial` whose flag is set into the ring; returns how many.

    ``words`` are the same flags, eight a word.
    """
    found = place
    row = flags[trial]
    looked_at = 0
    if flags.shape[1] % _WORD_8 == 0:
        begin = np.uint64(trial * flags.shape[1] // _WORD_8)
        for k in range(np.uint64(size // _WORD_8)):
            if words[begin + k] != 0:
                for i in range(_WORD_8 * k, _WORD_8 * k + _WORD_8):
                    if row[np.uint64(i)]:
                        spikes[slot, trial, found] = first + np.int64(i)
                        found += 1
        looked_at = size // _WORD_8 * _WORD_8
    for i in range(looked_at, size):
        if row[i]:
            spikes[slot, trial, found] = first + i
            found += 1
    return found - place


def keep_spikes(spikes, counts, slot, part, place, step_in_call, kept, kept_counts, at):
    """Copy this step's spikes of one part to where recordings are taken from; returns the end."""
    for trial in range(counts.shape[1]):
        n = counts[slot, trial, part]
        kept_counts[step_in_call, trial] = n
        for k in range(n):
            kept[at + k] = spikes[slot, trial, place + k]
        at += n
    return at


def deliver_sparse(spikes, counts, parts, step, delays, first, runs, targets, w, out):
    slot = (step - delays[0]) & (spikes.shape[0] - 1)
    for trial in range(out.shape[0]):
        row = out[trial]
        for part in range(counts.shape[2]):
            last = parts[part] + counts[slot, trial, part] - 1
            for k in range(parts[part], last + 1):
                source = np.uint64(spikes[slot, trial, k])
                # The processor fetches a run by itself once it has seen its beginning.
                ahead = np.uint64(runs[np.uint64(spikes[slot, trial, min(k + 3, last)])])
                _prefetch(targets, ahead)
                _prefetch(w, ahead)
                for q in range(np.uint64(runs[source]), np.uint64(runs[source + _ONE_WORD])):
                    row[np.uint64(targets[q])] += w[q]


def deliver_sparse_by_source(spikes, counts, parts, step, delays, first, runs, targets, w, out):
    slot = (step - delays[0]) & (spikes.shape[0] - 1)
    for trial in range(out.shape[0]):
        row = out[trial]
        for part in range(counts.shape[2]):
            last = parts[part] + counts[slot, trial, part] - 1
            for k in range(parts[part], last + 1):
                source = np.uint64(spikes[slot, trial, k])
                ahead = np.uint64(runs[np.uint64(spikes[slot, trial, min(k + 3, last)])])
                _prefetch(targets, ahead)
                _prefetch(targets, ahead + _ONE_LINE)
                weight = w[source]
                for q in range(np.uint64(runs[source]), np.uint64(runs[source + _ONE_WORD])):
                    row[np.uint64(targets[q])] += weight


def deliver_together(spikes, counts, parts, step, delays, runs, targets, w, bounds, pending):
    """Add what arrives in this step to what is pending; ``bounds`` (n, 2) is room for runs.

    Runs of synapses are asked for n at a time before they are added: where one ends is only known
    when that has come from memory, and a processor that waits for it cannot look at the next.
    """
    mask = spikes.shape[0] - 1
    n_delays = delays.size
    for trial in range(pending.shape[1]):
        row = pending[0, trial]
        n = 0
        for d in range(n_delays):
            slot = (step - delays[d]) & mask
            for part in range(counts.shape[2]):
                for k in range(parts[part], parts[part] + counts[slot, trial, part]):
                    run = np.uint64(spikes[slot, trial, k] * n_delays + d)
                    first, last = np.uint64(runs[run]), np.uint64(runs[run + _ONE_WORD])
                    _prefetch(targets, first)
                    _prefetch(w, first)
                    _prefetch(w, last)
                    bounds[n, 0] = first
                    bounds[n, 1] = last
                    n += 1
                    if n == bounds.shape[0]:
                        add_runs(bounds, n, targets, w, row)
                        n = 0
        add_runs(bounds, n, targets, w, row)


def add_runs(bounds, n, targets, w, row):
    for j in range(n):
        for q in range(np.uint64(bounds[j, 0]), np.uint64(bounds[j, 1])):
            row[np.uint64(targets[q])] += w[q]


def schedule(
    spikes, counts, parts, step, earliest, delays, runs, targets, which, w, pending
):
    """Add what the spikes of `step` will do to what is pending for the steps to come.

    What arrives before step `earliest` has been delivered already, in the run before this one.
    """
    slot = step & (spikes.shape[0] - 1)
    mask = pending.shape[0] - 1
    for trial in range(pending.shape[1]):
        plane = pending[:, trial]
        for part in range(counts.shape[2]):
            for k in range(parts[part], parts[part] + counts[slot, trial, part]):
                source = np.uint64(spikes[slot, trial, k])
                for q in range(np.uint64(runs[source]), np.uint64(runs[source + _ONE_WORD])):
                    arrival = step + delays[np.uint64(which[q])]
                    if arrival >= earliest:
                        plane[np.uint64(arrival & mask), np.uint64(targets[q])] += w[q]


def take_pending(pending, step, begin, out):
    """Add what is pending for this step in the segment from `begin` on, and forget it."""
    slot = step & (pending.shape[0] - 1)
    for trial in range(out.shape[0]):
        row = out[trial]
        new = pending[slot, trial, begin : begin + row.size]
        for i in range(row.size):
            row[i] += new[i]
            new[i] = ZERO


def deliver_dense(spikes, counts, parts, step, delays, first, WT, out):
    slot = (step - delays[0]) & (spikes.shape[0] - 1)
    for trial in range(out.shape[0]):
        row = out[trial]
        for part in range(counts.shape[2]):
            for k in range(parts[part], parts[part] + counts[slot, trial, part]):
                weights = WT[spikes[slot, trial, k]]
                for i in range(weights.size):
                    row[i] += weights[i]


def deliver_diagonal(spikes, counts, parts, step, delays, first, d, out):
    slot = (step - delays[0]) & (spikes.shape[0] - 1)
    for trial in range(out.shape[0]):
        row = out[trial]
        for part in range(counts.shape[2]):
            for k in range(parts[part], parts[part] + counts[slot, trial, part]):
                unit = spikes[slot, trial, k]
                if first <= unit < first + row.size:
                    row[unit - first] += d[unit]


def deliver_low_rank(spikes, counts, parts, step, delays, first, nT, mT, out):
    slot = (step - delays[0]) & (spikes.shape[0] - 1)
    for trial in range(out.shape[0]):
        row = out[trial]
        for rank in range(nT.shape[0]):
            latent = ZERO
            for part in range(counts.shape[2]):
                for k in range(parts[part], parts[part] + counts[slot, trial, part]):
                    latent += nT[rank, spikes[slot, trial, k]]
            if latent != ZERO:
                m = mT[rank]
                for i in range(m.size):
                    row[i] += latent * m[i]


def settle(arrived, until, step_in_call, out):
    """Add what arrived to a state that refractory units hold still, and forget it."""
    now = real(step_in_call)
    for trial in range(out.shape[0]):
        new, limit, row = arrived[trial], until[trial], out[trial]
        for i in range(row.size):
            row[i] += new[i] if limit[i] <= now else ZERO
            new[i] = ZERO


def begin_rest(until, step_in_call, rest, first, spikes, counts, slot, part, place):
    """Let units that have just spiked rest; what arrives in this very step finds them resting."""
    now = real(step_in_call)
    for trial in range(counts.shape[1]):
        for k in range(place, place + counts[slot, trial, part]):
            i = spikes[slot, trial, k] - first
            until[trial, i] = now + rest[i]


def rest_less(until, n_steps):
    """Count `until` from the end of this call on, which is the beginning of the next."""
    for trial in range(until.shape[0]):
        row = until[trial]
        for i in range(row.size):
            row[i] = max(row[i] - real(n_steps), ZERO)


# ---- spikes from outside ------------------------------------------------------------------------


def begin_replay(steps, step):
    """Where in the ascending `steps` the spikes of `step` begin."""
    return np.searchsorted(steps, step)


def replay(steps, units, at, step, first, size, spikes, counts, slot, part, place):
    """Spikes of a list in this step, of the units of this part; returns where the list goes on."""
    n = 0
    while at < steps.size and steps[at] == step:
        if first <= units[at] < first + size:
            for trial in range(spikes.shape[1]):
                spikes[slot, trial, place + n] = units[at]
            n += 1
        at += 1
    for trial in range(spikes.shape[1]):
        counts[slot, trial, part] = n
    return at


def gap_to_next(key, event, unit, stream, log_rest):
    """Steps to the next of independent chances, geometric: ``log_rest`` is log(1 - p).

    The uniform number is that of this event of the unit, so it does not depend on when it is asked
    for.
    """
    if log_rest == 0.0:
        return np.int64(1) << 62
    w0, w1, _, _ = _philox(
        np.uint64(unit), np.uint64(event) & _WORD, np.uint64(event) >> _HALF_WORD,
        np.uint64(stream), np.uint64(key[0]), np.uint64(key[1]),
    )  # fmt: skip
    u = (np.float64(w0) + (np.float64(w1) + 0.5) * _UNIT_32_F64) * _UNIT_32_F64
    gap = math.log(u) / log_rest
    return np.int64(1) << 62 if gap > 4e18 else np.int64(gap) + 1


def begin_chances(due, event, step, keys, stream, first, log_rest):
    """Draw the first step of every unit that has none yet."""
    for trial in range(due.shape[0]):
        for i in range(log_rest.size):
            if due[trial, i] < 0:
                gap = gap_to_next(keys[trial], event[trial, i], first + i, stream, log_rest[i])
                event[trial, i] += 1
                due[trial, i] = step - 1 + gap


def flag_due(due, step, flags):
    for trial in range(due.shape[0]):
        row, flag = due[trial], flags[trial]
        for i in range(row.size):
            flag[i] = row[i] == step


def draw_next(due, event, step, keys, stream, first, log_rest, spikes, counts, slot, part, place):
    """Draw the next step of every unit that has just had its chance."""
    for trial in range(due.shape[0]):
        for k in range(place, place + counts[slot, trial, part]):
            i = spikes[slot, trial, k] - first
            gap = gap_to_next(keys[trial], event[trial, i], first + i, stream, log_rest[i])
            event[trial, i] += 1
            due[trial, i] = step + gap


_FOUR = np.uint64(4)
_ONE_WORD = np.uint64(1)
#: Targets of two bytes in a cache line.
_ONE_LINE = np.uint64(32)
_TWO_WORDS = np.uint64(2)
_THREE_WORDS = np.uint64(3)


def fill_words(words, n_units, first, key, step, stream):
    """Random words (int32), one a unit; ``first`` is a multiple of 4, and so is the room there."""
    step_low = np.uint64(step) & _WORD
    step_high = np.uint64(step) >> _HALF_WORD
    k0, k1, line = np.uint64(key[0]), np.uint64(key[1]), np.uint64(stream)
    block = np.uint64(first) // _FOUR
    for j in range(np.uint64((n_units + 3) // 4)):
        w0, w1, w2, w3 = _philox(block + j, step_low, step_high, line, k0, k1)
        words[_FOUR * j] = np.int32(w0)
        words[_FOUR * j + _ONE_WORD] = np.int32(w1)
        words[_FOUR * j + _TWO_WORDS] = np.int32(w2)
        words[_FOUR * j + _THREE_WORDS] = np.int32(w3)


def fill_uniforms(out, words, size, first, keys, step, stream):
    """Uniform numbers in [0, 1), steps of 2^-24 in float32 and 2^-32 in float64."""
    for trial in range(out.shape[0]):
        fill_words(words, size, first, keys[trial], step, stream)
        row = out[trial]
        for i in range(size):
            row[i] = uniform_of(words[i])


def uniform_of_f64(word):
    return np.float64(np.uint32(word)) * _UNIT_32_F64


_UNIT_24_F32 = np.float32(2.0**-24)
_EIGHT_BITS = np.int32(8)
_LOW_24_BITS = np.int32(0xFFFFFF)


def uniform_of_f32(word):
    return np.float32((word >> _EIGHT_BITS) & _LOW_24_BITS) * _UNIT_24_F32


def add_poisson(out, words, counts, size, first, keys, step, stream, limits, weight):
    """Add weighted Poisson counts: a count is the number of limits that a random word exceeds.

    ``limits`` (4 m, 1 or unit) int32 are the distribution function in units of 2^-32, shifted by
    -2^31; ``weight`` (1 or unit).
    """
    for trial in range(out.shape[0]):
        fill_words(words, size, first, keys[trial], step, stream)
        for i in range(size):
            counts[i] = ZERO
        for m in range(0, limits.shape[0], 4):
            if limits.shape[1] == 1:
                count_above(words, limits[m, 0], limits[m + 1, 0], limits[m + 2, 0],
                            limits[m + 3, 0], size, counts)  # fmt: skip
            else:
                for k in range(m, m + 4):
                    count_above_each(words, limits[k], size, counts)
        row = out[trial]
        if weight.size == 1:
            value = weight[0]
            for i in range(size):
                row[i] += value * counts[i]
        else:
            for i in range(size):
                row[i] += weight[i] * counts[i]


def count_above(words, a, b, c, d, size, counts):
    for i in range(size):
        x = words[i]
        n = counts[i]
        n += ONE if x > a else ZERO
        n += ONE if x > b else ZERO
        n += ONE if x > c else ZERO
        n += ONE if x > d else ZERO
        counts[i] = n


def count_above_each(words, limits, size, counts):
    for i in range(size):
        counts[i] += ONE if words[i] > limits[i] else ZERO


#: Names with a version for each number type.
FUNCTIONS = {"uniform_of": {"float64": "uniform_of_f64", "float32": "uniform_of_f32"}}
