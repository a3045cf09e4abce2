"""Long timescales from slow units or from connectivity, depending on the training curriculum.

S. Khajehabdollahi, R. Zeraati, E. Giannakakis, T. J. Schaefer, G. Martius, A. Levina, "Emergent
mechanisms for long timescales depend on training curriculum and affect performance in memory
tasks", ICLR 2024, arXiv:2309.12927.

What it shows. A recurrent network can remember because its units leak slowly (time constants tau)
or because its connections make slow modes of fast units (network-mediated timescales). Here weights
and time constants are trained together on tasks that need the last N bits of a stream: their
parity, or whether the bit N from the end equals the last. N is raised whenever it has been learned.
A network that learns one N after the other, with one head, makes its time constants longer; one
that has to solve all N up to the current one, with a head for each, makes them shorter, and
remembers through its connections. The second learns faster, reaches larger N, forgets nothing and
bears damage better (`parity`, `delayed_match`). Time constants fixed at 1 do no harm to it, longer
ones do (`fixed_leaks`); without a curriculum large N are not learned at all (`no_curriculum`).

What we changed. The paper trains 500 units with batches of 256 in epochs of 600 steps for up to
1000 epochs, days on a GPU, and comes to N = 35 and 100 in parity. Here 64 units learn with batches
of 64 in 40 epochs of 300 steps, and come to N = 8 and 17. At such N the time constants of parity do
not rise again under either curriculum; those of delayed match do, earlier than in the paper, and
show the dichotomy. The paper's size is a matter of settings, for a cluster: ``neurodyn run
timescales -e parity -s units=500 -s batch=256 -s steps=600 -s tests=50 -s epochs=1000 -s seeds=4
-s compare_at=30 -s probe_steps=100000``. The gradient of the diagonal of the recurrent weights,
which are 0, is 0 here; in the authors' code it counts when gradients are clipped. Fitted timescales
go up to ten times the last lag, 300 steps, instead of 100. Left out: sliding windows of heads,
networks of several layers, inputs that last several steps, GRUs and LSTMs.
"""

from neurodyn.experiments import Circuit

from . import experiments, figures
from .claims import CLAIMS
from .curriculum import Curriculum, train
from .model import network

__all__ = ["CIRCUIT", "Curriculum", "network", "train"]

CIRCUIT = Circuit(
    name="timescales",
    title="Long timescales from slow units or from connectivity, depending on the training "
          "curriculum",
    citation="Khajehabdollahi, Zeraati, Giannakakis, Schaefer, Martius, Levina (2024), Emergent "
             "mechanisms for long timescales depend on training curriculum and affect performance "
             "in memory tasks, ICLR",
    doi="10.48550/arXiv.2309.12927",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments={"delayed_match": experiments.delayed_match, "parity": experiments.parity,
                 "fixed_leaks": experiments.fixed_leaks,
                 "no_curriculum": experiments.no_curriculum},
    main="delayed_match",
    figures={"delayed_match": figures.curricula, "parity": figures.curricula,
             "fixed_leaks": figures.fixed_leaks, "no_curriculum": figures.no_curriculum},
    claims=CLAIMS,
)
