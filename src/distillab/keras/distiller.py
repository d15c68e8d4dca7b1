"""The Distiller: a Keras model that trains a student on labels and on a teacher's predictions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError, not_allowed
from distillab.keras import jax_steps
from distillab.keras.checks import checked_model
from distillab.keras.inputs import Data, FirstBatchCheck, check_inputs, is_array, split
from distillab.keras.live import like_student
from distillab.keras.objective import Objective, Settings
from distillab.keras.saving import SavableModel
from distillab.keras.settings import checked_alpha, checked_temperature, checked_weights
from distillab.keras.teachers import Teachers
from distillab.losses import DEFAULT_ALPHA, DEFAULT_TEMPERATURE, Array
from distillab.models.averaging import DEFAULT_AVERAGE
from distillab.tasks import Task


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


@keras.saving.register_keras_serializable(package="distillab")
class Distiller(SavableModel, jax_steps.SteppedModel):
    """Train a student on the labels and on the predictions of a teacher, with Keras's own `fit`.

    Formula: `alpha * CE(y, softmax(z_s)) + (1 - alpha) * T^2 * KL( softmax(z_t / T) || softmax(z_s / T) )`, or with
    other losses in place of these. alpha = 1 trains on the labels alone, alpha = 0 on the teacher alone. For
    independent labels (binary, multi-label) both terms are the mean over the labels of the same losses of two classes,
    and for real numbers squared errors, without a temperature; these are not standardised here: scale labels and
    teacher as the student should learn them. Of several outputs the loss is
    `sum_o w_o (alpha_o * label_loss_o + (1 - alpha_o) * distillation_loss_o)`.

    The task is what an output means (`distillab.tasks.TASKS`). A last softmax or sigmoid decides it, or a loss that one
    task alone has; else the labels of the first `fit` or `evaluate`. Outputs and labels may have positions between the
    batch and the classes: maps, sequences. Labels that are missing (-1 or NaN; of real numbers NaN) count for the
    teacher's term alone, as do those of `ignore_class`.

    It works on TensorFlow, JAX and PyTorch. The teacher runs in inference mode, is never changed, and is saved with
    the distiller only on request. `distiller.student` is the plain model, to save or to export. Of a model that ends
    in softmax or sigmoid the logits before that are used, with a warning for softmax; metrics and `predict` see the
    student's own outputs, as without distillation.

    Models may have several inputs (lists, tuples, dictionaries) and several outputs, each with a task of its own.
    Outputs are named by the keys of their dictionary, those of a list by Keras's `output_names`; labels, sample weights
    and logits are given in the student's own form or as a dictionary by these names.

    Args:
        student: a built Keras model.
        teacher: a built, trained Keras model with the same outputs; a model of another framework, as `open_teacher`
            takes it (a PyTorch module, a fitted estimator, an ONNX file, a function, ...), which is called for each
            batch; or several. None where the data hold the teacher's logits
            (`with_teacher_logits`), or for `distillation_loss="teacher_free"`.
        task: "categorical", "binary", "multilabel" or "regression"; None: recognised. Of several outputs a dictionary.
        ignore_class: a value of labels that means "no label here", such as 255 in maps; a dictionary for some outputs.
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
        task: str | dict[str, str | None] | None = None,
        ignore_class: int | dict[str, int | None] | None = None,
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
        outputs = raw.outputs
        self.output_names = outputs.names  # Keras names metrics by them
        objectives = [
            Objective(name if outputs.several else "", *of_output)
            for name, *of_output in zip(
                outputs.names, raw.parts, outputs.shapes, outputs.by_output(task, "task"),
                outputs.by_output(ignore_class, "ignore_class"), strict=True,
            )
        ]  # fmt: skip
        # Keras does not track what is inside a namespace: the teacher is no layer of this model, and the student is
        # tracked once.
        self._hidden = SimpleNamespace(
            raw=raw, objectives=objectives, stated=task, ignore=ignore_class, teachers=None, compiled_with={},
            kept=jax_steps.Kept(),
        )  # fmt: skip
        for objective in objectives:
            objective.alpha = self._number("alpha", DEFAULT_ALPHA)
            objective.temperature = self._number("temperature", DEFAULT_TEMPERATURE)
        self._of_outputs = [metric for objective in objectives for metric in objective.metrics]
        totals = ("student_loss", "distillation_loss") if outputs.several else ()
        self._totals = [keras.metrics.Mean(name=total) for total in totals]
        if teacher is not None:
            like = partial(like_student, student)
            self._set_teachers(Teachers(teacher, teacher_weights, average, teacher_inputs, task, like, raw))
        else:
            self._recognise_from_models()
        self.train_function = self.test_function = None
        self.built = True

    def _number(self, name: str, value: float) -> Any:
        """A variable: setting it recompiles nothing."""
        start = keras.initializers.Constant(value)
        return self.add_weight((), start, dtype="float32", trainable=False, autocast=False, name=name)

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
            like = partial(like_student, self.student)
            self._set_teachers(Teachers(value, task=self.task, like=like, student=self._hidden.raw))

    def _set_teachers(self, teachers: Teachers) -> None:
        self.supports_jit = not teachers.foreign  # TensorFlow cannot compile a call into another framework
        self._hidden.teachers = teachers
        self.train_function = self.test_function = None  # a compiled step holds its teachers
        self._recognise_from_models()

    @property
    def task(self) -> Any:
        """What an output means, a name in `distillab.tasks.TASKS`; None until it is recognised. Of several by name."""
        return self._by_output(lambda objective: None if objective.task is None else str(objective.task.name))

    def _by_output(self, value: Callable[[Objective], Any]) -> Any:
        """A value of the only output, or a dictionary of those of several."""
        objectives: list[Objective] = self._hidden.objectives
        if len(objectives) == 1:
            return value(objectives[0])
        return {objective.name: value(objective) for objective in objectives}

    def _recognise_from_models(self) -> None:
        teachers = self._hidden.teachers
        for index, objective in enumerate(self._hidden.objectives):
            self._settle(index, objective.set_heads([] if teachers is None else teachers.heads(index)))

    def _settle(self, index: int, task: Task | None) -> None:
        """Use a task of an output, where it is known."""
        objective = self._hidden.objectives[index]
        if task is not None:
            objective.settle(task)
        if self._hidden.teachers is not None:
            self._hidden.teachers.tasks[index] = objective.task

    @property
    def alpha(self) -> Any:
        """Weight of the labels, in [0, 1]; of several outputs by name. Set it at any time, by name or for all."""
        return self._by_output(lambda objective: _shortest(objective.alpha))

    @alpha.setter
    def alpha(self, value: Any) -> None:
        self._assign("alpha", value, checked_alpha)

    @property
    def temperature(self) -> Any:
        """T > 0, which softens both predictions; as `alpha`. Real numbers have none."""
        return self._by_output(
            lambda objective: _shortest(objective.temperature) if objective.softens or not objective.name else None
        )

    @temperature.setter
    def temperature(self, value: Any) -> None:
        self._assign("temperature", value, checked_temperature)

    def _assign(self, name: str, value: Any, checked: Callable[[Any], float]) -> None:
        outputs = self._hidden.raw.outputs
        outputs.by_output(value, name)  # which refuses other names
        given = value if isinstance(value, dict) else dict.fromkeys(outputs.names, value)
        named = zip(outputs.names, self._hidden.objectives, strict=True)
        numbers = [(objective, checked(given[key])) for key, objective in named if key in given]
        for objective, number in numbers:
            if name == "temperature":
                objective.check_temperature(number)
        for objective, number in numbers:
            getattr(objective, name).assign(number)

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        *,
        student_loss_fn: Any = None,
        distillation_loss: Any = None,
        distillation_loss_fn: Any = None,
        alpha: Any = DEFAULT_ALPHA,
        temperature: Any = None,
        output_weights: dict[str, float] | None = None,
        metrics: Any = None,
        **options: Any,
    ) -> None:
        """Configure the training.

        `loss`, `distillation_loss`, `alpha` and `temperature` are for all outputs, or a dictionary by output; one that
        it leaves out has the default.

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
            output_weights: how much each of several outputs counts in the loss, numbers >= 0 by output; left out: 1.
            metrics: as in `keras.Model.compile`; they see the labels and the student's predictions.
            options: further options of `keras.Model.compile`, such as `steps_per_execution`.

        Raises:
            RequestError: a value that is not allowed, an unknown name.
        """
        if "loss_weights" in options:
            do = "alpha weights the two losses, and output_weights several outputs."
            raise not_allowed("loss_weights", options["loss_weights"], "left out", do)
        loss = _one_of(loss, student_loss_fn, "loss", "student_loss_fn")
        distillation_loss = _one_of(
            distillation_loss, distillation_loss_fn, "distillation_loss", "distillation_loss_fn"
        )
        outputs = self._hidden.raw.outputs
        weights = checked_weights(output_weights, outputs)
        temperatures = [
            None if number is None else checked_temperature(number)
            for number in outputs.by_output(temperature, "temperature")
        ]
        self.alpha = {**dict.fromkeys(outputs.names, DEFAULT_ALPHA), **alpha} if isinstance(alpha, dict) else alpha
        settings = map(
            Settings, outputs.by_output(loss, "loss"), outputs.by_output(distillation_loss, "distillation_loss"),
            temperatures, weights,
        )  # fmt: skip
        for index, (objective, of_output) in enumerate(zip(self._hidden.objectives, settings, strict=True)):
            objective.compile(of_output)
            self._settle(index, None)
        self._hidden.compiled_with = {
            "loss": loss, "distillation_loss": distillation_loss, "output_weights": output_weights, "metrics": metrics
        }  # fmt: skip
        super().compile(optimizer=optimizer, metrics=metrics, **options)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Compute the student's raw outputs, shape (B, ..., C), in the structure of its outputs.

        Args:
            inputs: a batch, with or without a teacher's logits.
            training: as in `keras.Model`.
        """
        raw = self._hidden.raw
        mode = {"training": training} if "training" in inspect.signature(raw.model.call).parameters else {}
        return raw.outputs.packed(raw(split(inputs)[0], **mode))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Array:
        """Compute the mixed loss of a batch, a scalar, plus the losses that the student's layers add themselves.

        Args:
            x: the batch's inputs, with or without a teacher's logits.
            y: labels; None trains on the teacher alone.
            y_pred: the student's raw outputs, shape (B, ..., C).
            sample_weight: shape (B,) or (B, ...), or None; of several outputs also by output.
            training: whether a teacher is needed; without one, evaluation gives the label loss alone.
        """
        outputs, objectives = self._hidden.raw.outputs, self._hidden.objectives
        labels = outputs.listed(y, "y")
        for index, objective in enumerate(objectives):
            if objective.task is None:
                self._settle(index, objective.recognise_stream(labels[index]))
        batch = zip(
            labels, outputs.listed(y_pred, "y_pred"), self._teacher_outputs(x, training),
            self._listed_weights(sample_weight), strict=True,
        )  # fmt: skip
        losses = [objective.losses(*parts) for objective, parts in zip(objectives, batch, strict=True)]
        weights = [objective.settings.weight for objective in objectives]
        label_loss, distillation_loss, mixed = (
            # An output of weight 0 is left out: 0 times an infinite loss would be NaN.
            sum(weight * value for weight, value in zip(weights, values, strict=True) if weight and value is not None)
            for values in zip(*losses, strict=True)
        )
        for metric, value in zip(self._totals, (label_loss, distillation_loss), strict=False):
            metric.update_state(value)
        return sum((ops.sum(ops.cast(loss, "float32")) for loss in self.losses), start=mixed)

    def _listed_weights(self, sample_weight: Any) -> list[Any]:
        """The sample weights of each output; an array holds for all."""
        outputs = self._hidden.raw.outputs
        if keras.tree.is_nested(sample_weight):
            return outputs.listed(sample_weight, "sample_weight")
        return [sample_weight] * len(outputs.names)

    def _teacher_outputs(self, x: Any, training: bool) -> list[Array | None]:
        """The outputs that the data hold, else the teacher's own; None where there is none, and none is needed."""
        stored, teachers, outputs = split(x)[1], self._hidden.teachers, self._hidden.raw.outputs
        if stored is not None:
            return [ops.cast(logits, "float32") for logits in outputs.listed_logits(stored)]
        if teachers is not None:
            return teachers.logits(x)
        if training and any(objective.needs_teacher for objective in self._hidden.objectives):
            raise RequestError(
                "There is no teacher: Distiller(student) without a teacher needs data that hold its logits. Pass "
                "Distiller(student, teacher), or make the data with distillab.with_teacher_logits."
            )
        return [None] * len(outputs.names)

    def get_metrics_result(self) -> dict[str, Array]:
        """All metrics by name; without those that need a teacher, where there was none."""
        result: dict[str, Array] = super().get_metrics_result()
        untaught = [objective for objective in self._hidden.objectives if not objective.taught]
        hidden = {
            metric.name for objective in untaught for metric in (objective.distillation_loss, objective.agreement)
        }
        if untaught:
            hidden.add("distillation_loss")
        return {name: value for name, value in result.items() if name not in hidden}

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Array]:
        """Update the compiled metrics with the student's predictions, and give all metrics by name.

        Args:
            x: inputs.
            y: labels; None leaves the compiled metrics as they are.
            y_pred: the student's raw outputs.
            sample_weight: shape (B,) or (B, ...), or None; of several outputs also by output.
        """
        if y is None:
            return self.get_metrics_result()
        outputs = self._hidden.raw.outputs
        weights = None if sample_weight is None else outputs.packed(self._listed_weights(sample_weight))
        labels = outputs.packed(outputs.listed(y, "y"))
        return super().compute_metrics(x, labels, self._as_student(y_pred), weights)

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

    def _as_student(self, predicted: Any) -> Any:
        outputs = self._hidden.raw.outputs
        listed = zip(self._hidden.objectives, outputs.listed(predicted, "y_pred"), strict=True)
        return outputs.packed([objective.as_student(raw) for objective, raw in listed])

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
            options["callbacks"] = [FirstBatchCheck(self._wrong_labels), *callbacks]
        return super().fit(x, y, *arguments, **options)

    evaluate = jax_steps.interruptible(_checking(keras.Model.evaluate, whole=True))
    predict = jax_steps.interruptible(keras.Model.predict)
    train_on_batch = jax_steps.interruptible(_checking(keras.Model.train_on_batch))
    test_on_batch = jax_steps.interruptible(_checking(keras.Model.test_on_batch))

    def _wrong_labels(self) -> str:
        return " or ".join(objective.wrong_labels for objective in self._hidden.objectives)

    def _check(self, data: Data, *, whole: bool) -> bool:
        """Check data that are arrays, and recognise the tasks; False where the labels are none, and unchecked."""
        self._assert_compile_called("fit")
        outputs, objectives = self._hidden.raw.outputs, self._hidden.objectives
        inputs, logits = split(data.x)
        check_inputs(inputs, self.student)
        if data.class_weight is not None and outputs.several:
            do = "Pass sample_weight={output: weights}, a weight for each example."
            raise not_allowed("class_weight", data.class_weight, "left out with several outputs", do)
        labels = outputs.listed(data.y, "y")
        parts = zip(
            labels, self._listed_weights(data.sample_weight), [data.class_weight] * len(labels),
            outputs.listed_logits(logits), strict=True,
        )  # fmt: skip
        tasks = [objective.check(*part, whole=whole) for objective, part in zip(objectives, parts, strict=True)]
        for index, task in enumerate(tasks):
            self._settle(index, task)
        return all(map(is_array, labels))

    def summary(self, *arguments: Any, **options: Any) -> None:
        """Print Keras's summary and the task.

        Args:
            arguments, options: as in `keras.Model.summary`.
        """
        super().summary(*arguments, **options)
        several = self._hidden.raw.outputs.several
        for objective in self._hidden.objectives:
            task, of = objective.task, f" of {objective.name!r}" * several
            options.get("print_fn", print)(
                f"Task{of}: recognised from the labels" if task is None else f"Task{of}: {task.name}, {task.meaning}"
            )


def _shortest(variable: Any) -> float:
    """A float32 variable's value with as many digits as it has: 0.9, and not 0.8999999761581421."""
    return float(str(np.float32(ops.convert_to_numpy(variable))))


def _one_of(value: Any, other: Any, name: str, other_name: str) -> Any:
    if value is not None and other is not None:
        raise RequestError(f"{name} and {other_name} are two names of one argument. Pass one of them.")
    return other if value is None else value
