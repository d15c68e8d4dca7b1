"""The Distiller: a Keras model that trains a student on labels and on a teacher's predictions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError, not_allowed
from distillab.keras import jax_steps
from distillab.keras.checks import check_pair, checked_alpha, checked_logits_model, checked_temperature, logits_shape
from distillab.keras.inputs import FirstBatchCheck, check_arrays, split
from distillab.keras.losses import as_distillation_loss, as_label_loss, class_numbers
from distillab.keras.teachers import Teachers
from distillab.losses import DEFAULT_ALPHA, DEFAULT_TEMPERATURE, Array, mix, relates_examples
from distillab.models.averaging import DEFAULT_AVERAGE


def _checking(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of `keras.Model` on a batch, after a check of it."""

    @wraps(method)
    def run(self: Distiller, x: Any, y: Any = None, *arguments: Any, **options: Any) -> Any:
        self._check(x, y)
        return method(self, x, y, *arguments, **options)

    return run


def _number(variable: str, checked: Callable[[Any], float], text: str) -> property:
    """A property for a number that a variable of the model holds: setting it recompiles nothing."""
    return property(
        lambda self: _shortest(getattr(self, variable)),
        lambda self, value: getattr(self, variable).assign(checked(value)),
        doc=text,
    )


@keras.saving.register_keras_serializable(package="distillab")
class Distiller(keras.Model):
    """Train a student on the labels and on the predictions of a teacher, with Keras's own `fit`.

    Formula: `alpha * CE(y, softmax(z_s)) + (1 - alpha) * T^2 * KL( softmax(z_t / T) || softmax(z_s / T) )`, or with
    other losses in place of these. alpha = 1 trains on the labels alone, alpha = 0 on the teacher alone.

    It works on TensorFlow, JAX and PyTorch. The teacher runs in inference mode, is never changed, and is saved with
    the distiller only on request. `distiller.student` is the plain model, to save or to export. Of a model that ends
    in softmax the logits before the softmax are used, with a warning; metrics and `predict` then see the student's
    probabilities, as without distillation.

    Args:
        student: a built Keras classifier.
        teacher: a built, trained Keras classifier of the same classes; or several. None where the data hold the
            teacher's logits (`with_teacher_logits`), or for `distillation_loss="teacher_free"`.
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
        RequestError: a model that is not built, other classes or input shapes, probabilities
            that cannot be undone, weights that are not finite.

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
        teacher_weights: Sequence[float] | None = None,
        average: str = DEFAULT_AVERAGE,
        teacher_inputs: Callable[[Any], Any] | None = None,
        save_teacher: bool = False,
        name: str = "distiller",
    ) -> None:
        logits_model = checked_logits_model(student, "student")
        teachers = None if teacher is None else Teachers(teacher, teacher_weights, average, teacher_inputs)
        if teachers is not None:
            for model in teachers.models:
                check_pair(logits_model, teachers.classes, model, adapted=teacher_inputs is not None)
        # The student's policy decides about loss scaling; the models cast their inputs themselves.
        super().__init__(name=name, dtype=student.dtype_policy, autocast=False)
        self.student = student
        self.save_teacher = save_teacher
        # Keras does not track what is inside a namespace: the teacher is no layer of this model, and the student is
        # tracked once.
        self._hidden = SimpleNamespace(teachers=teachers, logits_model=logits_model, shape=logits_shape(logits_model))
        number = {"shape": (), "dtype": "float32", "trainable": False, "autocast": False}
        self._alpha = self.add_weight(name="alpha", initializer=keras.initializers.Constant(DEFAULT_ALPHA), **number)
        start = keras.initializers.Constant(DEFAULT_TEMPERATURE)
        self._temperature = self.add_weight(name="temperature", initializer=start, **number)
        self._student_loss = keras.metrics.Mean(name="student_loss")
        self._distillation_loss = keras.metrics.Mean(name="distillation_loss")
        self._agreement = keras.metrics.Mean(name="agreement")
        self.train_function: Any = None
        self.test_function: Any = None
        self.built = True

    @property
    def teacher(self) -> Any:
        """The teacher as it was given: a model, a list of models, or None."""
        return None if self._hidden.teachers is None else self._hidden.teachers.given

    alpha = _number("_alpha", checked_alpha, "Weight of the labels, in [0, 1]; may be set at any time.")
    temperature = _number("_temperature", checked_temperature, "T > 0, which softens both predictions; as `alpha`.")

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        *,
        student_loss_fn: Any = None,
        distillation_loss: Any = None,
        distillation_loss_fn: Any = None,
        alpha: float = DEFAULT_ALPHA,
        temperature: float = DEFAULT_TEMPERATURE,
        metrics: Any = None,
        **options: Any,
    ) -> None:
        """Configure the training.

        Args:
            optimizer: as in `keras.Model.compile`.
            loss: the loss against the labels. None: cross-entropy, of class numbers or one-hot labels. Otherwise a
                name, a `keras.losses` object with `from_logits=True`, or a function (y, logits).
            student_loss_fn: another name for `loss`, as in the Keras example.
            distillation_loss: the loss against the teacher. None: "kl". Otherwise a name in `distillab.losses.LOSSES`,
                a function called like those, or a `keras.losses` object that expects probabilities, which is given both
                softened predictions and multiplied by T^2.
            distillation_loss_fn: another name for `distillation_loss`.
            alpha: weight of the labels, in [0, 1].
            temperature: T > 0.
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
        self._hidden.label_loss = as_label_loss(loss, unwrapped=self._unwrapped)
        self._hidden.distillation_loss = as_distillation_loss(distillation_loss)
        if relates_examples(self._hidden.distillation_loss.function) and len(self._hidden.shape) > 2:
            raise RequestError(
                "distillation_loss='dist' relates the examples of a batch: it needs one prediction an example."
            )
        self.alpha, self.temperature = alpha, temperature
        self._hidden.compiled_with = {"loss": loss, "distillation_loss": distillation_loss, "metrics": metrics}
        super().compile(optimizer=optimizer, metrics=metrics, **options)

    @property
    def _unwrapped(self) -> bool:
        """Whether the student ends in softmax, and is trained by its logits."""
        return self._hidden.logits_model is not self.student

    def call(self, inputs: Any, training: bool | None = None) -> Array:
        """Compute the student's logits, shape (B, ..., C).

        Args:
            inputs: a batch, with or without a teacher's logits.
            training: as in `keras.Model`.
        """
        model = self._hidden.logits_model
        mode = {"training": training} if "training" in inspect.signature(model.call).parameters else {}
        return model(split(inputs)[0], **mode)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Array:
        """Compute the mixed loss of a batch, a scalar, plus the losses that the student's layers add themselves.

        Args:
            x: the batch's inputs, with or without a teacher's logits.
            y: labels; None trains on the teacher alone.
            y_pred: the student's logits, shape (B, ..., C).
            sample_weight: shape (B,), or None.
            training: as in `keras.Model`.
        """
        hidden = self._hidden
        teacher_logits = self._teacher_logits(x)
        label_loss = ops.zeros(()) if y is None else hidden.label_loss(y, y_pred, sample_weight)
        arguments: dict[str, Any] = {"temperature": self._temperature}
        if teacher_logits is not None:
            arguments["teacher_logits"] = teacher_logits
        if y is not None:
            arguments["labels"] = class_numbers(y, y_pred)
        if relates_examples(hidden.distillation_loss.function):
            weights = ops.ones_like(y_pred[:, 0]) if sample_weight is None else ops.reshape(sample_weight, (-1,))
            arguments["weights"] = ops.cast(weights, "float32")
        distillation_loss = hidden.distillation_loss(arguments, y_pred, sample_weight)
        self._student_loss.update_state(label_loss)
        self._distillation_loss.update_state(distillation_loss)
        if teacher_logits is not None:
            same = ops.argmax(teacher_logits, axis=-1) == ops.argmax(y_pred, axis=-1)
            self._agreement.update_state(ops.cast(same, "float32"))
        own = [ops.sum(ops.cast(loss, "float32")) for loss in self.losses]
        return sum(own, start=mix(label_loss, distillation_loss, ops.convert_to_tensor(self._alpha)))

    def _teacher_logits(self, x: Any) -> Array | None:
        """The logits that the data hold, else the teacher's own; None where the loss needs none."""
        stored = split(x)[1]
        if stored is not None:
            return ops.cast(stored, "float32")
        if self._hidden.teachers is not None:
            return self._hidden.teachers.logits(x)
        parameters = inspect.signature(self._hidden.distillation_loss.function).parameters
        if parameters["teacher_logits"].default is None:
            return None
        raise RequestError(
            "There is no teacher: Distiller(student) without a teacher needs data that hold its logits. Pass "
            "Distiller(student, teacher), or make the data with distillab.with_teacher_logits."
        )

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Array]:
        """Update the compiled metrics with the student's predictions, and give all metrics by name.

        Args:
            x: inputs.
            y: labels; None leaves the compiled metrics as they are.
            y_pred: the student's logits.
            sample_weight: shape (B,), or None.
        """
        if y is None:
            return self.get_metrics_result()
        return super().compute_metrics(x, y, self._as_student(y_pred), sample_weight)

    def predict_step(self, *arguments: Any) -> Any:
        """Predict a batch: logits, or probabilities where the student ends in them.

        Args:
            arguments: the backend's.
        """
        predicted = super().predict_step(*arguments)
        if keras.backend.backend() == "jax":
            logits, state = predicted
            return self._as_student(logits), state
        return self._as_student(predicted)

    def _as_student(self, logits: Array) -> Array:
        return ops.softmax(logits, axis=-1) if self._unwrapped else logits

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit` does, after a check of the data.

        Args:
            x, y, arguments, options: as in `keras.Model.fit`.
        """
        checked = self._check(x, y, options.get("validation_data"))
        callbacks = options.get("callbacks") or []
        by_name = len(arguments) < 4  # callbacks may be given by position as well
        if not checked and by_name and isinstance(callbacks, (list, keras.callbacks.Callback)):
            callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
            options["callbacks"] = [FirstBatchCheck(self._hidden.shape[-1]), *callbacks]
        with jax_steps.restored_on_failure(self.variables):
            return super().fit(x, y, *arguments, **options)

    def evaluate(self, x: Any = None, y: Any = None, *arguments: Any, **options: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, after a check of the data.

        Args:
            x, y, arguments, options: as in `keras.Model.evaluate`.
        """
        self._check(x, y)
        with jax_steps.restored_on_failure(self.variables):
            return super().evaluate(x, y, *arguments, **options)

    train_on_batch = _checking(keras.Model.train_on_batch)
    test_on_batch = _checking(keras.Model.test_on_batch)

    def _check(self, x: Any, y: Any, validation: Any = None) -> bool:
        """Check labels and logits that are arrays; False where they are not, and cannot be checked."""
        self._assert_compile_called("fit")
        if isinstance(validation, tuple) and len(validation) > 1:
            check_arrays(validation[0], validation[1], self._hidden.shape)
        return check_arrays(x, y, self._hidden.shape)

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
            "save_teacher": self.save_teacher,
            "teacher": None,
        }
        if teachers is not None:
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
        values = {"optimizer": self.optimizer, "alpha": self.alpha, "temperature": self.temperature, **given}
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
