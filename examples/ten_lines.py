"""Distil in ten lines: a trained Keras teacher, a small student, one fit."""

from distillab import Distiller  # before keras, to select the backend
from distillab.data import load
from distillab.models import build
import keras

digits = load("digits")
x, y, x_test, y_test = digits.inputs(digits.x_train), digits.y_train, digits.inputs(digits.x_test), digits.y_test
teacher, student = build("mlp-128-128", (8, 8, 1), 10), build("mlp-8", (8, 8, 1), 10)
teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
teacher.fit(x, y, epochs=15, verbose=0)

distiller = Distiller(student, teacher)
distiller.compile("adam", alpha=0.3, temperature=3, metrics=["accuracy"])
distiller.fit(x, y, epochs=60, verbose=0)
print(distiller.evaluate(x_test, y_test, return_dict=True, verbose=0))
distiller.student.save("student.keras")  # a plain Keras model
