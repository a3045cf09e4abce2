"""What `train` refuses, and what it says."""

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.learning import (
    SGD,
    Adam,
    EarlyStopping,
    MeanSquaredError,
    Positive,
    TrainingDiverged,
    TrialBatch,
    VanishingGradient,
    train,
)
from neurodyn.learning.regularisers import L1
from tests.neurodyn.learning.training_cases import NAMES, OPTIONS, Integrator, network, run


class Wrong(Integrator):
    def __init__(self, **changes):
        super().__init__()
        self.changes = changes

    def batch(self, rng, trials):
        inputs, targets = np.ones((trials, 5, 1)), np.ones((trials, 5, 1))
        given = {"inputs": {"stim.s": inputs}, "targets": {"out.y": targets}, "dt": 0.01}
        return TrialBatch(**{**given, **self.changes})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"trainable": ["E.r->E.I_re"]}, "no coupling `E.r->E.I_re`; did you mean `E.r->E.I_rec`"),
        ({"trainable": ["E.tua"]}, "`E` has no `tua`; did you mean `tau`"),
        ({"trainable": ["stim.s"]}, "`stim.s` is an input, which the task gives"),
        ({"trainable": "E.tau"}, "`trainable` must be a list"),
        ({"steps": 0}, "`steps` must be an integer of at least 1; got 0"),
        ({"batch": 0}, "`batch` must be an integer of at least 1; got 0"),
        ({"parametrise": {"E.ta": Positive()}}, "`parametrise`: `E.ta` is not trained; did you mean `E.tau`"),
        ({"parametrise": {"E.b": Positive()}}, r"`parametrise\['E.b'\]`: the value breaks the constraint Positive"),
        ({"regularise": [L1(1.0, on=["E.bb"])]}, "`E.bb` is not trained; did you mean `E.b`"),
        ({"regularise": [VanishingGradient("a->b", 1.0)]}, "`a->b`, which is not trained"),
        ({"clip": -1.0}, "`limit` must be positive"),
        ({"early_stopping": EarlyStopping(patience=1), "evaluate_every": None}, "`early_stopping` needs `evaluate_every`"),
        ({"early_stopping": EarlyStopping("corelation", patience=1)}, "not evaluated; did you mean `correlation`"),
        ({"connect": {"stim": "stim.s"}}, "`connect`: the task has no input or target `stim`"),
        ({"solver": nd.Euler(dt=0.005)}, "the solver has dt = 0.005 s, but the task's steps are of 0.01 s"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        run(**{"steps": 2, **changes})


@pytest.mark.parametrize(
    "task, message",
    [
        (Wrong(targets={"out.y": np.ones((4, 5, 3))}), r"the targets of `out.y` have 3 units, shape \(4, 5, 3\), but the population `out` has 1"),
        (Wrong(inputs={"stim.s": np.ones((4, 5, 4))}), "the inputs of `stim.s` have 4 units"),
        (Wrong(inputs={"stimulus": np.ones((4, 5, 1))}), "the name `stimulus`.*`connect=`"),
        (Wrong(targets={"out.z": np.ones((4, 5, 1))}), "`out` has no `z`"),
        (Wrong(initial={"E.x": np.zeros(6)}), "the task gives `E.x` its initial values"),
        (Wrong(targets={}), "no `targets`"),
    ],
)  # fmt: skip
def test_a_task_that_does_not_fit_the_network_is_refused(task, message):
    with pytest.raises(ValueError, match=message):
        train(network(), task, Adam(0.01), steps=2, **OPTIONS)


def test_a_mask_that_hides_everything_is_refused():
    with pytest.raises(ValueError, match="`mask` hides everything"):
        train(network(), Wrong(mask=np.zeros(5)), Adam(0.01), steps=2, **OPTIONS)


def test_random_initial_states_cannot_be_trained():
    net = network().with_values(**{"E.x": lambda rng, size: rng.normal(size=size)})
    with pytest.raises(ValueError, match="`E.x` is drawn anew in each trial; give it numbers"):
        train(net, Integrator(), Adam(0.01), steps=2, **OPTIONS)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1, Integrator(), Adam(0.1)), "`network` must be a Network; got int"),
        ((network(), 1, Adam(0.1)), r"`task` must have a method `batch\(rng, trials\)`"),
        ((network(), Integrator(), 0.1), "`optimiser` must be one such as"),
    ],
)
def test_arguments_of_other_types_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        train(*arguments, trainable=["E.tau"], steps=1)


# -- functions that users give -----------------------------------------------------------------


def plainly(**changes):
    """A training without anything beside its loss."""
    options = {"trainable": NAMES, "steps": 2, "batch": 4, "rng": 5, "record": ["E.r", "out.y"]}
    return train(network(), Integrator(), Adam(0.01), **{**options, **changes})


def told(found):
    """The argument `loss` of a loss that returns `found(recorded)`."""
    return lambda batch: found


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"loss": MeanSquaredError("out.y", 0.0)}, "`loss` is called with a batch.*loss=lambda"),
        ({"loss": told(lambda recorded: 1.0)}, r"`loss` must return \(value, cotangents\).*got float"),
        ({"loss": told(lambda recorded: (recorded["out.y"], {}))}, r"one number as its value; got ndarray of shape \(4, 12, 1\)"),
        ({"loss": told(lambda recorded: (1.0, [0.0]))}, "a dict of arrays by name; got list"),
        ({"regularise": [lambda values: 1.0]}, r"`regularise`.*must return \(value, gradients\).*returned float"),
        ({"regularise": lambda values: (1.0, {})}, "`regularise` must be a list"),
        ({"callbacks": print}, "`callbacks` must be a list"),
        ({"record": "E.r"}, r"`record` must be a list; got 'E.r'. One alone: \['E.r'\]"),
        ({"schedule": 0.5}, "`schedule` must be a function of the step.*got 0.5"),
        ({"clip": "1"}, "`clip` must be the largest norm, a number, or a function.*got '1'"),
    ],
)  # fmt: skip
def test_functions_of_other_kinds_are_refused_by_name(changes, message):
    with pytest.raises(TypeError, match=message):
        plainly(**changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"regularise": [lambda values: (1.0, {"E.bb": 0.0})]}, "a gradient of `E.bb`, which is not trained; did you mean `E.b`"),
        # one that NumPy would broadcast
        ({"regularise": [lambda values: (1.0, {"E.r->E.I_rec": np.zeros(6)})]}, r"of shape \(6,\); it must have that of the value, \(6, 6\)"),
        ({"schedule": lambda step: np.nan}, "`schedule` must give a factor.*at step 0 it gave nan"),
        ({"schedule": lambda step: -1.0}, "at least 0; at step 0 it gave -1.0"),
        ({"schedule": lambda step: None}, "at step 0 it gave None"),
    ],
)  # fmt: skip
def test_what_functions_return_is_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        plainly(**changes)


def test_a_checkpoint_that_is_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(IsADirectoryError, match="`checkpoint` must be a file"):
        plainly(checkpoint=tmp_path)


def test_numbers_of_any_type_clip():
    wanted = plainly(clip=0.5).history
    assert plainly(clip=np.float32(0.5)).history.identical(wanted)


# -- what is not a number ----------------------------------------------------------------------


def test_a_loss_of_an_evaluation_that_is_not_finite_stops_the_training():
    def loss(batch):
        own = batch.loss()

        def of_run(recorded):
            value, cotangents = own(recorded)
            return (np.nan if batch.n_trials == 7 else value), cotangents

        of_run.record = own.record
        return of_run

    with pytest.raises(TrainingDiverged, match="step 0: the loss of the evaluation is nan"):
        plainly(loss=loss, evaluate_every=1, evaluate_batch=7)


def test_cotangents_that_are_not_finite_are_told_from_gradients_that_grew():
    def spoilt(recorded):
        cotangent = np.zeros_like(recorded["out.y"])
        cotangent[1, 2, 0] = np.nan
        return 1.0, {"out.y": cotangent}

    message = r"the cotangent of `out.y`.*is nan at \[trial, sample, unit\] = \[1, 2, 0\]"
    with pytest.raises(TrainingDiverged, match=message):
        plainly(loss=told(spoilt))
    with pytest.raises(FloatingPointError, match=message):
        nd.learning.bptt(network(), nd.Euler(dt=0.01), 0.05, spoilt, record=["out.y", "E.r"],
                         trainable=NAMES, inputs={"stim.s": np.ones((4, 5, 1))})  # fmt: skip


def test_a_penalty_that_is_not_finite_stops_the_training():
    with pytest.raises(TrainingDiverged, match="the penalty of `regularise` is nan"):
        plainly(regularise=[lambda values: (np.nan, {})])


def test_a_last_step_that_spoils_a_value_is_an_error_with_the_history():
    def down(values):
        return 0.0, {"E.tau": np.array(1e3)}

    message = "stopped at step 1: `E.tau` is a time constant and came to -"
    with pytest.raises(TrainingDiverged, match=message) as caught:
        train(network(), Integrator(), SGD(0.03), trainable=NAMES, steps=1, rng=0, batch=4,
              record=["E.r", "out.y"], regularise=[down])  # fmt: skip
    assert caught.value.history.sizes["step"] == 1
    assert caught.value.network.populations["E"].parameters["tau"] == 0.05


def test_early_stopping_takes_no_value_that_is_not_a_number_for_the_best():
    stopping = EarlyStopping("accuracy", patience=2, maximise=True)
    assert not stopping.is_better(np.nan, None) and not stopping.is_better(np.nan, 0.5)
    assert stopping.is_better(0.1, None)
    # two evaluations without any, then better ones
    assert stopping.reason([np.nan, np.nan]).startswith("early stopping: no better accuracy")
    assert stopping.reason([np.nan, 0.1, 0.2, np.nan]) is None


@pytest.mark.parametrize("changes", [{"min_change": -1.0}, {"target": np.nan}])
def test_early_stopping_by_what_cannot_be_is_refused(changes):
    with pytest.raises(ValueError, match=f"`{next(iter(changes))}` must be"):
        EarlyStopping(**{"patience": 2, **changes})
