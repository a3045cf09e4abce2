"""Images in sequence: assemblies that are trained, and stay contracting or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn._blas import one_blas_thread
from neurodyn.circuits._sheet import labelled

from . import certificates, model, sequences

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd

__all__ = ["VARIANTS", "modularity", "sequential_digits"]

#: Learning rate, its factor in the last part of the training, where that begins.
LEARNING_RATE, SLOWER, SLOWER_FROM = 3e-3, 1 / 6, 0.7
#: Images of a batch, largest norm of the gradients.
BATCH, CLIP = 64, 5.0
#: Bound of singular values of modules that are trained.
LARGEST = 0.95
#: Random slopes at which the rate is found after each epoch, and at the end.
CHECKS, LAST_CHECKS = 8, 200


@dataclass(frozen=True)
class Variant:
    """What is trained: kind of modules and of coupling, and whether pixels are permuted."""

    kind: str = "sparse"
    coupling: str = "negative feedback"
    permuted: bool = False


#: The variants that are compared.
VARIANTS = {
    "stable": Variant(),
    "permuted pixels": Variant(permuted=True),
    "uncoupled": Variant(coupling="none"),
    "one-way": Variant(coupling="one-way"),
    "unconstrained": Variant(coupling="unconstrained"),
    "trained modules": Variant(kind="singular value"),
}


@dataclass(frozen=True)
class Setting:
    """Sizes of the assembly and of its training."""

    n_modules: int = 8
    module_size: int = 16
    density: float = 0.25
    multiplier: float = 0.4
    connected: float = 1.0
    epochs: int = 30
    step: float = 0.1
    images: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            raise ValueError(f"`step` is dt/tau of Euler, above 0 and at most 1; got {self.step!r}")
        if self.epochs < 1:
            raise ValueError(f"`epochs` must be at least 1; got {self.epochs!r}")


@dataclass
class Course:
    """One training: what was found after each epoch, and at the end."""

    loss: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    certified: list[float] = field(default_factory=list)
    accuracy: float = float("nan")
    final_rate: float = float("nan")
    uncoupled_rate: float = float("nan")
    norm: float = float("nan")
    largest_step: float = float("nan")


def sequential_digits(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    n_seeds: int | None = None,
    epochs: int | None = None,
    n_modules: int = 8,
    module_size: int = 16,
    density: float = 0.25,
    multiplier: float = 0.4,
    step: float = 0.1,
    images: str = "",
    progress: bool = False,
) -> xr.Dataset:
    """Assemblies learn to name digits shown pixel by pixel, with five kinds of coupling.

    Parameters
    ----------
    size : {"fast", "full"}
        One seed and 10 epochs, or 5 seeds and 30.
    rng : int
        Seed of modules, weights and batches.
    n_seeds, epochs : int, optional
        Instead of the numbers that go with `size`.
    n_modules, module_size : int
        Modules, and units of each. The paper's networks have some hundred units.
    density, multiplier : float
        Of the sparse modules.
    step : float
        Euler's step in units of tau.
    images : str
        An ``.npz`` file in the form of Keras's MNIST to be used instead of the digits of 8 x 8
        pixels. The paper's sequential MNIST is ``images=mnist.npz n_modules=16 module_size=32
        epochs=250``, of hours on a cluster for each variant and seed.
    progress : bool
        Say which training is under way.

    Returns
    -------
    xarray.Dataset
        Accuracy on the test images by variant and seed; loss and rates, 1/tau, by epoch.
    """
    n_seeds = (1 if size == "fast" else 5) if n_seeds is None else n_seeds
    epochs = (10 if size == "fast" else 30) if epochs is None else epochs
    if n_seeds < 1:
        raise ValueError(f"`n_seeds` must be at least 1; got {n_seeds!r}")
    setting = Setting(n_modules, module_size, density, multiplier, 1.0, epochs, step, images)
    runs = [(variant, setting) for variant in VARIANTS.values()]
    courses = _courses(runs, n_seeds, rng, list(VARIANTS), progress, with_rates=True)
    return _dataset(courses, list(VARIANTS), setting)


def modularity(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    n_seeds: int | None = None,
    epochs: int | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Stable assemblies of 128 units in few large or many small modules; sparser coupling.

    Parameters
    ----------
    size : {"fast", "full"}
        One seed and 3 epochs, or 5 seeds and 20.
    rng : int
        Seed, as in `sequential_digits`.
    n_seeds, epochs : int, optional
        Instead of the numbers that go with `size`.
    progress : bool
        Say which training is under way.

    Returns
    -------
    xarray.Dataset
        Accuracy on the test images by number of modules, and by share of pairs that are coupled.
    """
    import xarray as xr

    n_seeds = (1 if size == "fast" else 5) if n_seeds is None else n_seeds
    epochs = (3 if size == "fast" else 20) if epochs is None else epochs
    if n_seeds < 1:
        raise ValueError(f"`n_seeds` must be at least 1; got {n_seeds!r}")
    counts, shares = (1, 2, 4, 8, 16, 32), (0.0, 0.1, 0.25, 0.5, 1.0)
    by_count = [Setting(n, 128 // n, epochs=epochs) for n in counts]
    by_share = [Setting(connected=share, epochs=epochs) for share in shares[:-1]]
    runs = [(VARIANTS["stable"], setting) for setting in by_count + by_share]
    names = [f"{s.n_modules} modules, {s.connected:g} coupled" for _, s in runs]
    courses = _courses(runs, n_seeds, rng, names, progress, with_rates=False)
    found = np.array([[course.accuracy for course in row] for row in courses])
    by_share_found = np.concatenate([found[len(counts) :], found[counts.index(8)][None]])
    long_name = "accuracy on test images"
    return xr.Dataset(
        {
            "accuracy_by_count": labelled(("n_modules", "seed"), found[: len(counts)], long_name),
            "accuracy_by_share": labelled(("connected", "seed"), by_share_found, long_name),
        },
        {"n_modules": list(counts), "connected": list(shares)},
        {"epochs": epochs},
    )


def _courses(
    runs: Sequence[tuple[Variant, Setting]],
    n_seeds: int,
    rng: int,
    names: Sequence[str],
    progress: bool,
    with_rates: bool,
) -> list[list[Course]]:
    """Every training with every seed; a seed has the same streams whatever is trained."""
    seeds = np.random.SeedSequence(rng).spawn(n_seeds)
    found = []
    for name, (variant, setting) in zip(names, runs):
        found.append([])
        for k, seed in enumerate(seeds):
            if progress:
                print(f"{name}, seed {k}")
            fresh = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)
            found[-1].append(_train(variant, setting, fresh, with_rates))
    return found


def _train(
    variant: Variant, setting: Setting, seed: np.random.SeedSequence, with_rates: bool
) -> Course:
    """Train one assembly; the rate in the metric of its modules after each epoch."""
    import neurodyn as nd

    of_network, of_training, of_checks = seed.spawn(3)
    # free coupling begins as negative feedback, to see where training leads it
    start = "negative feedback" if variant.coupling == "unconstrained" else variant.coupling
    modules, L, of_ends = model.parts(
        setting.n_modules, setting.module_size, setting.density, setting.multiplier,
        variant.kind, start, setting.connected, of_network,
    )  # fmt: skip
    train_task, test_task = sequences.tasks_for(
        setting.images, permuted=variant.permuted, dt=setting.step * model.TAU
    )
    n_images = getattr(train_task, "n_images", None) or train_task.everything().n_trials
    per_epoch = round(n_images / BATCH)
    steps = per_epoch * setting.epochs
    watch = _Watch(modules, of_checks, per_epoch, with_rates)
    net = model.classifier(modules, L, is_sparse=variant.kind == "sparse", rng=of_ends)
    constraints = _constraints(modules, variant, L)
    if with_rates:
        watch.after({model.COUPLING: L})
    fit = nd.learning.train(
        net, train_task, nd.learning.Adam(LEARNING_RATE), steps=steps, batch=BATCH, clip=CLIP,
        trainable=[model.INPUT, model.READOUT, "modules.b", "digit.b", *constraints],
        parametrise=constraints, rng=of_training, callbacks=[watch], solver=nd.Euler(train_task.dt),
        connect={"pixels": "pixel.I_ext", "digit": "digit.y"},
        schedule=lambda k: 1.0 if k < SLOWER_FROM * steps else SLOWER,
    )  # fmt: skip
    return watch.finished(fit.network, _accuracy(fit.network, test_task))


def _constraints(
    modules: model.Modules, variant: Variant, L: np.ndarray
) -> dict[str, nd.learning.Parametrisation]:
    """What is trained of the modules and between them, and what of it is kept."""
    import neurodyn as nd

    adjacency = None
    if L.any():
        p = len(modules.sizes)
        edges = np.concatenate([[0], np.cumsum(modules.sizes)])
        adjacency = [[L[edges[i]:edges[i + 1], edges[j]:edges[j + 1]].any() for j in range(p)]
                     for i in range(p)]  # fmt: skip
    found = {}
    between = model.constraint(modules, variant.coupling, adjacency) if L.any() else None
    if between is not None:
        found[model.COUPLING] = between
    if variant.kind == "singular value":
        within = nd.learning.Contracting(slope=1 / LARGEST)
        found[model.RECURRENT] = nd.learning.BlockDiagonal(within, len(modules.sizes))
    return found


def _accuracy(net: nd.Network, task: Any) -> float:
    """Share of all test images that are named right at the last pixel."""
    import neurodyn as nd

    batch = task.everything()
    run = nd.learning.run_trials(
        net, batch, connect={"pixels": "pixel.I_ext"}, record=["digit.y"], every=batch.duration,
        rng=0,
    )  # fmt: skip
    named = run["digit.y"].values[:, -1].argmax(axis=1)
    return float(np.mean(named == batch.info["digit"]))


class _Watch:
    """Follows a training: the loss of each epoch and, if wanted, rates after it."""

    def __init__(
        self, modules: model.Modules, seed: np.random.SeedSequence, per_epoch: int, with_rates: bool
    ):
        self.modules, self.seed = modules, seed
        self.per_epoch, self.with_rates = per_epoch, with_rates
        self.course, self.losses = Course(), []

    def __call__(self, report: nd.learning.StepReport) -> None:
        self.losses.append(report.loss)
        if (report.step + 1) % self.per_epoch == 0:
            self.course.loss.append(float(np.mean(self.losses)))
            self.losses = []
            if self.with_rates:
                self.after(report.values)

    def after(self, values: dict[str, np.ndarray]) -> None:
        """Rates with the coupling, and the weights of modules if they are trained."""
        L = values.get(model.COUPLING, np.zeros_like(self.modules.W))
        found = self._certificate(L, values.get(model.RECURRENT), CHECKS)
        self.course.rate.append(found.whole_rate)
        self.course.certified.append(found.rate)

    def _certificate(self, L: np.ndarray, W: np.ndarray | None, n_checks: int) -> Any:
        from neurodyn import analyses

        return analyses.assembly_contraction(
            L, self.modules.metrics, rates=self.modules.rates, modules=self._blocks(W),
            n_checks=n_checks, rng=np.random.default_rng(self.seed),
        )  # fmt: skip

    def _blocks(self, W: np.ndarray | None) -> Sequence[np.ndarray]:
        if W is None:
            return self.modules.weights
        ends = np.cumsum(self.modules.sizes)
        return [W[e - n : e, e - n : e] for e, n in zip(ends, self.modules.sizes)]

    def finished(self, net: nd.Network, accuracy: float) -> Course:
        """The whole course, with what is true of the trained network."""
        course = self.course
        course.accuracy = accuracy
        if not self.with_rates:
            return course
        labelled_weights = dict(zip(net.coupling_labels, net.couplings))
        L, W = (labelled_weights[name].weights.to_dense()
                for name in (model.COUPLING, model.RECURRENT))  # fmt: skip
        found = self._certificate(L, W, LAST_CHECKS)
        course.final_rate = found.whole_rate
        course.uncoupled_rate = self._certificate(np.zeros_like(L), W, LAST_CHECKS).whole_rate
        course.norm = float(np.linalg.norm(L, 2))
        slopes = np.random.default_rng(self.seed).random((CHECKS, len(L))) < 0.5
        J = W * slopes[:, None, :] - np.eye(len(L)) + L
        with one_blas_thread():
            course.largest_step = certificates.largest_step(J, found.metric)
        return course


def _dataset(courses: list[list[Course]], names: Sequence[str], setting: Setting) -> xr.Dataset:
    import xarray as xr

    def of(name: str) -> np.ndarray:
        return np.array([[getattr(course, name) for course in row] for row in courses])

    runs, by_epoch = ("variant", "seed"), ("variant", "seed", "after")
    return xr.Dataset(
        {
            "accuracy": labelled(runs, of("accuracy"), "accuracy on test images"),
            "loss": labelled(("variant", "seed", "epoch"), of("loss"), "mean loss of an epoch"),
            "rate": labelled(by_epoch, of("rate"), "worst rate at random slopes", "1/tau"),
            "certified_rate": labelled(by_epoch, of("certified"), "rate that is proved", "1/tau"),
            "final_rate": labelled(runs, of("final_rate"), "worst rate, trained", "1/tau"),
            "uncoupled_rate": labelled(
                runs, of("uncoupled_rate"), "worst rate without the coupling", "1/tau"
            ),
            "norm": labelled(runs, of("norm"), "spectral norm of the coupling"),
            "largest_step": labelled(runs, of("largest_step"), "largest contracting step", "tau"),
        },
        {
            "variant": list(names),
            "epoch": np.arange(1, setting.epochs + 1),
            "after": np.arange(setting.epochs + 1),
        },
        {"step": setting.step, "images": setting.images or "digits of 8 x 8 pixels"},
    )
