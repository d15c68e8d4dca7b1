"""The Distiller: a Keras model that trains a student on labels and on a teacher's predictions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.backend.common.masking import get_keras_mask  # Keras exports no other way to a tensor's mask

from distillab.errors import RequestError, not_allowed
from distillab.keras import jax_steps
from distillab.keras.checks import checked_alpha, checked_model, checked_temperature, fit, maps_differ
from distillab.keras.inputs import (
    Data,
    FirstBatchCheck,
    as_numpy,
    check_inputs,
    check_labels,
    check_weights,
    is_array,
    split,
)
from distillab.keras.labels import read_labels
from distillab.keras.live import like_student
from distillab.keras.losses import Share, activated, agreement, as_label_term, as_teacher_term
from distillab.keras.recognition import from_models, of_stream, possible
from distillab.keras.teachers import Teachers
from distillab.losses import DEFAULT_ALPHA, DEFAULT_TEMPERATURE, Array, mix
from distillab.models.averaging import DEFAULT_AVERAGE
from distillab.tasks import Head, Task, recognise


def _checking(method: Callable[..., Any], *, whole: bool = False) -> Callable[..., Any]:
    """A method of `keras.Model` on data, or on the whole of the data, after a check of them."""
    signature = inspect.signature(method)

    @wraps(method)
    def run(self: Distiller, *arguments: Any, **options: Any) -> Any:
        given = signature.bind(self, *arguments, **options).arguments
        if not options.get("_use_cached_eval_dataset"):  # of a validation in `fit`, whose data are checked
            self._check(Data(*(given.get(name) for name in Data._fields)), whole=whole)
        return method(self, *arguments, **options)

    return run


def _temperature_of(self: Distiller, temperature: Any) -> float:
    number = checked_temperature(temperature)
    if self._hidden.task is not None:
        self._hidden.task.check_temperature(number)
    return number


def _number(variable: str, checked: Callable[[Any, Any], float], text: str) -> property:
    """A property for a number that a variable of the model holds: setting it recompiles nothing."""
    return property(
        lambda self: _shortest(getattr(self, variable)),
        lambda self, value: getattr(self, variable).assign(checked(self, value)),
        doc=text,
    )


@keras.saving.register_keras_serializable(package="distillab")
class Distiller(keras.Model):
    """Train a student on the labels and on the predictions of a teacher, with Keras's own `fit`.

    Formula: `alpha * CE(y, softmax(z_s)) + (1 - alpha) * T^2 * KL( softmax(z_t / T) || softmax(z_s / T) )`, or with
    other losses in place of these. alpha = 1 trains on the labels alone, alpha = 0 on the teacher alone. For
    independent labels (binary, multi-label) both terms are the mean over the labels of the same losses of two classes,
    and for real numbers squared errors, without a temperature; these are not standardised here: scale labels and
    teacher as the student should learn them.

    The task is what an output means (`distillab.tasks.TASKS`). A last softmax or sigmoid decides it, or a loss that one
    task alone has; else the labels of the first `fit` or `evaluate`. Outputs and labels may have positions between the
    batch and the classes: maps, sequences. Labels that are missing (-1 or NaN; of real numbers NaN) count for the
    teacher's term alone, as do those of `ignore_class`.

    It works on TensorFlow, JAX and PyTorch. The teacher runs in inference mode, is never changed, and is saved with
    the distiller only on request. `distiller.student` is the plain model, to save or to export. Of a model that ends
    in softmax or sigmoid the logits before that are used, with a warning for softmax; metrics and `predict` see the
    student's own outputs, as without distillation.

    Args:
        student: a built Keras model with one output.
        teacher: a built, trained Keras model with the same outputs; a model of another framework, as `open_teacher`
            takes it (a PyTorch module, a fitted estimator, an ONNX file, a function, ...), which is called for each
            batch; or several. None where the data hold the teacher's logits
            (`with_teacher_logits`), or for `distillation_loss="teacher_free"`.
        task: "categorical", "binary", "multilabel" or "regression"; None: recognised.
        ignore_class: a value of labels that means "no label here", such as 255 in maps.
        teacher_weights: relative weights of several teachers, numbers > 0; None: equal weights.
        average: how several teachers' predictions become one: "logits" (weighted mean of their centred logits, the
            geometric mean of their probabilities) or "probabilities" (arithmetic mean). The default is "logits", as in
            studies and `distill`: the temperature acts on the mean as on each teacher, and no teacher's scale of
            probabilities dominates.
        teacher_inputs: makes the teacher's inputs from the student's, where they differ in size or scale; a function on
            `keras.ops`.
        save_teacher: whether `save` puts the teacher into the file as well.
        name: the model's name.

    Raises:
        RequestError: a model that is not built, other outputs or input shapes, probabilities that cannot be undone,
            weights that are not finite, a task that does not fit the models.

    Example:
        >>> import numpy as np
        >>> layers = keras.layers
        >>> teacher = keras.Sequential([keras.Input((4,)), layers.Dense(16, "relu"), layers.Dense(3)])
        >>> student = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
        >>> distiller = Distiller(student, teacher)
        >>> distiller.compile(optimizer="adam", alpha=0.3, temperature=3, metrics=["accuracy"])
        >>> x, y = np.ones((8, 4), "float32"), np.zeros(8, "int32")
        >>> sorted(distiller.fit(x, y, verbose=0).history)
        ['accuracy', 'agreement', 'distillation_loss', 'loss', 'student_loss']
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: Any = None,
        *,
        task: str | None = None,
        ignore_class: int | None = None,
        teacher_weights: Sequence[float] | None = None,
        average: str = DEFAULT_AVERAGE,
        teacher_inputs: Callable[[Any], Any] | None = None,
        save_teacher: bool = False,
        name: str = "distiller",
    ) -> None:
        raw = checked_model(student, "student", task)
        # The student's policy decides about loss scaling; the models cast their inputs themselves.
        super().__init__(name=name, dtype=student.dtype_policy, autocast=False)
        self.student = student
        self.save_teacher = save_teacher
        # Keras does not track what is inside a namespace: the teacher is no layer of this model, and the student is
        # tracked once.
        self._hidden = SimpleNamespace(
            raw=raw, shape=raw.shape, ignore=ignore_class, stated=task, task=None, teachers=None, taught=True,
            compiled_with={}, kept=jax_steps.Kept(),
        )  # fmt: skip
        self._agreement = keras.metrics.Mean(name="agreement")
        if teacher is not None:
            self._set_teachers(
                Teachers(teacher, teacher_weights, average, teacher_inputs, task, partial(like_student, student))
            )
        else:
            self._recognise_from_models()
        number = {"shape": (), "dtype": "float32", "trainable": False, "autocast": False}
        self._alpha = self.add_weight(name="alpha", initializer=keras.initializers.Constant(DEFAULT_ALPHA), **number)
        start = keras.initializers.Constant(DEFAULT_TEMPERATURE)
        self._temperature = self.add_weight(name="temperature", initializer=start, **number)
        self._student_loss = keras.metrics.Mean(name="student_loss")
        self._distillation_loss = keras.metrics.Mean(name="distillation_loss")
        self.train_function: Any = None
        self.test_function: Any = None
        self.built = True

    @property
    def teacher(self) -> Any:
        """The teacher as it was given: a model, a list of models, or None. It may be set, after loading a file."""
        return None if self._hidden.teachers is None else self._hidden.teachers.given

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "teacher":
            super().__setattr__(name, value)
        elif value is None:
            self._hidden.teachers = self.train_function = self.test_function = None
        else:
            self._set_teachers(Teachers(value, task=self.task, like=partial(like_student, self.student)))

    def _set_teachers(self, teachers: Teachers) -> None:
        teachers.check_student(self._hidden.raw, self.student)
        self.supports_jit = not teachers.foreign  # TensorFlow cannot compile a call into another framework
        self._hidden.teachers = teachers
        self.train_function = self.test_function = None  # a compiled step holds its teachers
        self._recognise_from_models()

    @property
    def task(self) -> str | None:
        """What an output means, a name in `distillab.tasks.TASKS`; None until it is recognised."""
        return None if self._hidden.task is None else str(self._hidden.task.name)

    @property
    def _heads(self) -> list[Head]:
        teachers = self._hidden.teachers
        return [self._hidden.raw.head, *([] if teachers is None else teachers.heads)]

    def _recognise_from_models(self) -> None:
        task = from_models(self._heads, self.task or self._hidden.stated)
        if task is not None:
            self._settle(task)

    def _settle(self, task: Task) -> None:
        """Use a task, with its losses where the distiller is compiled already."""
        hidden = self._hidden
        if hidden.compiled_with and hidden.task is None:
            self._make_losses(task)
            task.check_temperature(hidden.compiled_with["temperature"])
        hidden.task = task
        self._agreement.name = "mae_to_teacher" if task.name == "regression" else "agreement"
        if hidden.teachers is not None:
            hidden.teachers.task = task

    alpha = _number(
        "_alpha", lambda self, alpha: checked_alpha(alpha), "Weight of the labels, in [0, 1]; may be set at any time."
    )
    temperature = _number("_temperature", _temperature_of, "T > 0, which softens both predictions; as `alpha`.")

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        *,
        student_loss_fn: Any = None,
        distillation_loss: Any = None,
        distillation_loss_fn: Any = None,
        alpha: float = DEFAULT_ALPHA,
        temperature: float | None = None,
        metrics: Any = None,
        **options: Any,
    ) -> None:
        """Configure the training.

        Args:
            optimizer: as in `keras.Model.compile`.
            loss: the loss against the labels. None: the task's default, cross-entropy or squared error. Otherwise a
                name of `distillab.losses.LABEL_LOSS_FUNCTIONS` or of Keras, a `keras.losses` object with
                `from_logits=True`, or a function (y, outputs). With a loss of Keras or of your own a position counts
                only if all its labels are known.
            student_loss_fn: another name for `loss`, as in the Keras example.
            distillation_loss: the loss against the teacher. None: the task's default, "kl" or "squared". Otherwise a
                name in `distillab.losses.losses_for(task)`, a function called like those, or a `keras.losses` object
                that expects probabilities, which is given both softened predictions and multiplied by T^2 (of real
                outputs, these as they are).
            distillation_loss_fn: another name for `distillation_loss`.
            alpha: weight of the labels, in [0, 1].
            temperature: T > 0; None: 3. Real outputs have none.
            metrics: as in `keras.Model.compile`; they see the labels and the student's predictions.
            options: further options of `keras.Model.compile`, such as `steps_per_execution`.

        Raises:
            RequestError: a value that is not allowed, an unknown name.
        """
        if "loss_weights" in options:
            raise not_allowed("loss_weights", options["loss_weights"], "left out", "alpha weights the two losses.")
        loss = _one_of(loss, student_loss_fn, "loss", "student_loss_fn")
        distillation_loss = _one_of(
            distillation_loss, distillation_loss_fn, "distillation_loss", "distillation_loss_fn"
        )
        self.alpha = alpha
        if temperature is not None or self._hidden.task is None or self._hidden.task.softens:
            self.temperature = DEFAULT_TEMPERATURE if temperature is None else temperature
        self._hidden.compiled_with = {
            "loss": loss, "distillation_loss": distillation_loss, "temperature": temperature, "metrics": metrics
        }  # fmt: skip
        if self._hidden.task is not None:
            self._make_losses(self._hidden.task)
        else:
            self._recognise_from_losses()
        super().compile(optimizer=optimizer, metrics=metrics, **options)

    def _recognise_from_losses(self) -> None:
        """Settle the task where the losses are defined for one of the possible tasks alone."""
        errors, tasks = [], []
        for task in possible(self._heads):
            try:
                self._make_losses(task)
                tasks.append(task)
            except RequestError as error:
                errors.append(error)
        if not tasks:
            raise errors[0]
        if len(tasks) == 1:
            self._settle(tasks[0])

    def _make_losses(self, task: Task) -> None:
        hidden, given = self._hidden, self._hidden.compiled_with
        hidden.label_term = as_label_term(given["loss"], task, unwrapped=bool(hidden.raw.removed))
        hidden.teacher_term = as_teacher_term(given["distillation_loss"], task)
        if hidden.teacher_term.relates_examples and len(hidden.shape) > 2:
            raise RequestError(
                "distillation_loss='dist' relates the examples of a batch: it needs one prediction an example."
            )

    def call(self, inputs: Any, training: bool | None = None) -> Array:
        """Compute the student's raw outputs, shape (B, ..., C).

        Args:
            inputs: a batch, with or without a teacher's logits.
            training: as in `keras.Model`.
        """
        model = self._hidden.raw.model
        mode = {"training": training} if "training" in inspect.signature(model.call).parameters else {}
        return model(split(inputs)[0], **mode)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Array:
        """Compute the mixed loss of a batch, a scalar, plus the losses that the student's layers add themselves.

        Args:
            x: the batch's inputs, with or without a teacher's logits.
            y: labels; None trains on the teacher alone.
            y_pred: the student's raw outputs, shape (B, ..., C).
            sample_weight: shape (B,) or (B, ...), or None.
            training: whether a teacher is needed; without one, evaluation gives the label loss alone.
        """
        hidden = self._hidden
        if hidden.task is None:
            self._settle(of_stream(y, self._heads))
        share = Share(
            _by_position(sample_weight, y_pred, "sample_weight"), _by_position(get_keras_mask(y_pred), y_pred, "mask")
        )
        outputs = ops.cast(y_pred, "float32")
        teacher = self._teacher_outputs(x, outputs, training)
        hidden.taught = teacher is not None or not hidden.teacher_term.needs_teacher
        labels = None if y is None else read_labels(y, outputs, hidden.task, hidden.ignore)
        label_loss = ops.zeros(()) if labels is None else hidden.label_term(labels, outputs, share)
        self._student_loss.update_state(label_loss)
        own = [ops.sum(ops.cast(loss, "float32")) for loss in self.losses]
        if not hidden.taught:
            return sum(own, start=label_loss)
        temperature = ops.convert_to_tensor(self._temperature)
        distillation_loss = hidden.teacher_term(labels, outputs, teacher, share, temperature)
        self._distillation_loss.update_state(distillation_loss)
        if teacher is not None:
            same = agreement(outputs, teacher, hidden.task)
            self._agreement.update_state(same, share.of(same, normalised=False))
        return sum(own, start=mix(label_loss, distillation_loss, ops.convert_to_tensor(self._alpha)))

    def _teacher_outputs(self, x: Any, outputs: Array, training: bool) -> Array | None:
        """The outputs that the data hold, else the teacher's own; None where there is none, and none is needed."""
        stored, teachers = split(x)[1], self._hidden.teachers
        if stored is None and teachers is None:
            if not self._hidden.teacher_term.needs_teacher or not training:
                return None
            raise RequestError(
                "There is no teacher: Distiller(student) without a teacher needs data that hold its logits. Pass "
                "Distiller(student, teacher), or make the data with distillab.with_teacher_logits."
            )
        teacher = teachers.logits(x) if stored is None else ops.cast(stored, "float32")
        if not fit(tuple(teacher.shape), tuple(outputs.shape)):
            raise maps_differ(outputs.shape, teacher.shape)
        return teacher

    def get_metrics_result(self) -> dict[str, Array]:
        """All metrics by name; without those that need a teacher, where there was none."""
        result: dict[str, Array] = super().get_metrics_result()
        of_teacher = () if self._hidden.taught else ("distillation_loss", self._agreement.name)
        return {name: value for name, value in result.items() if name not in of_teacher}

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Array]:
        """Update the compiled metrics with the student's predictions, and give all metrics by name.

        Args:
            x: inputs.
            y: labels; None leaves the compiled metrics as they are.
            y_pred: the student's raw outputs.
            sample_weight: shape (B,) or (B, ...), or None.
        """
        if y is None:
            return self.get_metrics_result()
        return super().compute_metrics(x, y, self._as_student(y_pred), sample_weight)

    def predict_step(self, *arguments: Any) -> Any:
        """Predict a batch, with the activation that the student ends in.

        Args:
            arguments: the backend's.
        """
        predicted = super().predict_step(*arguments)
        if keras.backend.backend() == "jax":
            logits, state = predicted
            return self._as_student(logits), state
        return self._as_student(predicted)

    def _as_student(self, outputs: Array) -> Array:
        return activated(outputs, self._hidden.raw.removed)

    @jax_steps.interruptible
    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit` does, after a check of the data.

        Args:
            x, y, arguments, options: as in `keras.Model.fit`.
        """
        signature = inspect.signature(super().fit)
        given = signature.bind(x, y, *arguments, **options).arguments
        checked = self._check(Data(*(given.get(name) for name in Data._fields)), whole=True)
        validation = given.get("validation_data")
        if isinstance(validation, (tuple, list)) and len(validation) > 1:
            self._check(Data(*validation[:3]), whole=True)
        callbacks = options.get("callbacks") or []
        by_name = len(arguments) < 4  # callbacks may be given by position as well
        if not checked and by_name and isinstance(callbacks, (list, keras.callbacks.Callback)):
            callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
            options["callbacks"] = [FirstBatchCheck(self, self._hidden.shape[-1]), *callbacks]
        return super().fit(x, y, *arguments, **options)

    evaluate = jax_steps.interruptible(_checking(keras.Model.evaluate, whole=True))
    predict = jax_steps.interruptible(keras.Model.predict)
    train_on_batch = jax_steps.interruptible(_checking(keras.Model.train_on_batch))
    test_on_batch = jax_steps.interruptible(_checking(keras.Model.test_on_batch))

    def _check(self, data: Data, *, whole: bool) -> bool:
        """Check data that are arrays, and recognise the task; False where the labels are none, and unchecked."""
        self._assert_compile_called("fit")
        hidden = self._hidden
        check_inputs(data, hidden.shape)
        labels = as_numpy(data.y) if is_array(data.y) else None
        task = hidden.task
        if task is None and labels is not None:
            known = labels if hidden.ignore is None else np.where(labels == hidden.ignore, np.nan, labels)
            task = recognise(known, self._heads)
        check_weights(data, hidden.shape, task)
        if labels is None:
            return False
        check_labels(labels, hidden.shape, task, hidden.ignore, may_be_missing=not whole)
        if hidden.task is None:
            self._settle(task)
        return True

    def summary(self, *arguments: Any, **options: Any) -> None:
        """Print Keras's summary and the task.

        Args:
            arguments, options: as in `keras.Model.summary`.
        """
        super().summary(*arguments, **options)
        task = self._hidden.task
        options.get("print_fn", print)(
            "Task: recognised from the labels" if task is None else f"Task: {task.name}, {task.meaning}"
        )

    # The following methods serve JAX, where a compiled step sees only its arguments (`jax_steps`).

    def make_train_function(self, force: bool = False) -> None:
        """Make the compiled training step, and on JAX pair each batch with the teacher's weights.

        Args:
            force: as in `keras.Model`.
        """
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = jax_steps.pair_batches(self.train_function, self._hidden.teachers)

    def make_test_function(self, force: bool = False) -> None:
        """Make the compiled evaluation step, and on JAX pair each batch with the teacher's weights.

        Args:
            force: as in `keras.Model`.
        """
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = jax_steps.pair_batches(self.test_function, self._hidden.teachers)

    def _get_jax_state(self, *, purge_model_variables: bool = False, **groups: bool) -> Any:
        """Keras's state of a loop of steps, held here before the model's variables are emptied."""
        state = super()._get_jax_state(**groups)
        of = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": self.optimizer.variables if groups.get("optimizer_variables") else [],
            "metrics_variables": self.metrics_variables,
        }
        self._hidden.kept.take([variables for name, variables in of.items() if groups.get(name)], state)
        self._jax_state = None  # of an earlier loop: after an error Keras would write it over what callbacks have set
        if purge_model_variables:
            self._purge_model_variables(**groups)
        return state

    def _make_function(self, step: Any, *arguments: Any, **options: Any) -> Any:
        """Keras's loop of steps on JAX, without donation."""
        if keras.backend.backend() != "jax":
            return super()._make_function(step, *arguments, **options)
        step = jax_steps.without_donation(step)
        return self._hidden.kept.following(super()._make_function(step, *arguments, **options))

    train_step = jax_steps.on_paired_batches(keras.Model.train_step)
    test_step = jax_steps.on_paired_batches(keras.Model.test_step)

    def compute_loss_and_updates(self, *arguments: Any, **options: Any) -> Any:
        """Compute the student's pass and loss as a pure function, with its convolutions as matrix products.

        Args:
            arguments, options: the JAX trainer's.
        """
        function = super().compute_loss_and_updates
        if len(self._hidden.shape) > 2:
            return function(*arguments, **options)  # lowering would lose a mask, which sequences may have
        return jax_steps.lowered(lambda *given: function(*given, **options))(*arguments)

    def get_config(self) -> dict[str, Any]:
        """The configuration for `keras.saving`: the student, and the teacher if it is to be saved."""
        teachers = self._hidden.teachers if self.save_teacher else None
        serialize = keras.saving.serialize_keras_object
        config = {
            "name": self.name,
            "student": serialize(self.student),
            "task": self.task,
            "ignore_class": self._hidden.ignore,
            "save_teacher": self.save_teacher,
            "teacher": None,
        }
        if teachers is not None:
            if teachers.foreign:
                raise RequestError("A teacher of another framework cannot be saved with the distiller. Keep its file.")
            if teachers.inputs is not None:
                raise RequestError("A teacher with teacher_inputs cannot be saved: a function has no safe file format.")
            config |= {
                "teacher": [serialize(model) for model in teachers.models],
                "teacher_weights": teachers.weights,
                "average": teachers.average,
            }
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Distiller:
        """Make a distiller from a configuration; without a teacher, if none was saved.

        Args:
            config: as from `get_config`.
            custom_objects: as in `keras.saving`.
        """
        config = dict(config)
        deserialize = keras.saving.deserialize_keras_object
        config["student"] = deserialize(config["student"], custom_objects=custom_objects)
        if config["teacher"] is not None:
            models = [deserialize(model, custom_objects=custom_objects) for model in config["teacher"]]
            config["teacher"] = models[0] if len(models) == 1 else models
        return cls(**config)

    def save_own_variables(self, store: Any) -> None:
        """Save alpha and the temperature, and with `save_teacher` the teacher's weights.

        Args:
            store: Keras's.
        """
        super().save_own_variables(store)
        for name, variable in self._saved_teacher():
            store[name] = np.asarray(ops.convert_to_numpy(variable))

    def load_own_variables(self, store: Any) -> None:
        """Load the variables of `save_own_variables`.

        Args:
            store: Keras's.
        """
        names = dict(self._saved_teacher())
        for name, variable in names.items():
            variable.assign(store[name])
        super().load_own_variables({key: store[key] for key in store.keys() if key not in names})  # noqa: SIM118

    def _saved_teacher(self) -> Iterator[tuple[str, Any]]:
        if self.save_teacher and self._hidden.teachers is not None:
            for index, model in enumerate(self._hidden.teachers.models):
                for number, variable in enumerate(model.variables):
                    yield f"teacher_{index}_{number}", variable

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`; empty where a loss is a custom function, which cannot be serialised."""
        given = self._hidden.compiled_with if self.compiled else {}
        serialisable = (str, keras.losses.Loss, type(None))
        if not given or not all(isinstance(given[key], serialisable) for key in ("loss", "distillation_loss")):
            return {}
        softens = self._hidden.task is None or self._hidden.task.softens
        values = {"optimizer": self.optimizer, "alpha": self.alpha, **given}
        values["temperature"] = self.temperature if softens else None
        return {key: keras.saving.serialize_keras_object(value) for key, value in values.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as saved, with the optimiser's state.

        Args:
            config: as from `get_compile_config`.
        """
        self.compile(**keras.saving.deserialize_keras_object(config, safe_mode=True))
        self.optimizer.build(self.trainable_variables)


def _shortest(variable: Any) -> float:
    """A float32 variable's value with as many digits as it has: 0.9, and not 0.8999999761581421."""
    return float(str(np.float32(ops.convert_to_numpy(variable))))


def _one_of(value: Any, other: Any, name: str, other_name: str) -> Any:
    if value is not None and other is not None:
        raise RequestError(f"{name} and {other_name} are two names of one argument. Pass one of them.")
    return other if value is None else value


def _by_position(part: Array | None, outputs: Array, name: str) -> Array | None:
    """Weights or a mask of examples (B,) or positions (B, ...), after a check of their shape."""
    if part is None:
        return None
    shape, positions = tuple(part.shape), tuple(outputs.shape[:-1])
    if len(shape) == 2 and shape[-1] == 1 and len(positions) == 1:
        return ops.squeeze(part, -1)
    if (len(shape) == 2 and shape[-1] == 1) or len(shape) == 1 or fit(shape, positions):
        return part
    raise RequestError(
        f"The {name} has shape {shape}, and the student's outputs {tuple(outputs.shape)}: it must have shape "
        f"{positions} or {positions[:1]}."
    )
