"""A distiller in a file: its student, alpha and temperature, and on request the teacher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError


class SavableModel(keras.Model):
    """A `keras.Model` that saves the models of a distiller, and how it is compiled."""

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
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
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
        losses = [loss for name in ("loss", "distillation_loss") for loss in keras.tree.flatten(given.get(name))]
        if not given or not all(isinstance(loss, (str, keras.losses.Loss, type(None))) for loss in losses):
            return {}
        temperature = self.temperature if any(objective.softens for objective in self._hidden.objectives) else None
        values = {"optimizer": self.optimizer, "alpha": self.alpha, **given, "temperature": temperature}
        return {key: keras.saving.serialize_keras_object(value) for key, value in values.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as saved, with the optimiser's state.

        Args:
            config: as from `get_compile_config`.
        """
        self.compile(**keras.saving.deserialize_keras_object(config, safe_mode=True))
        self.optimizer.build(self.trainable_variables)
