"""Learn from several teachers at once: their weighted average teaches the student."""

from distillab import Distiller  # before keras, to select the backend
from distillab.data import load
from distillab.models import build
import keras

digits = load("digits")
x, y, x_test, y_test = digits.inputs(digits.x_train), digits.y_train, digits.inputs(digits.x_test), digits.y_test
teachers = []
for name in ("mlp-128-128", "mlp-64", "cnn-8-16"):
    teacher = build(name, (8, 8, 1), 10)
    teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    teacher.fit(x, y, epochs=20, verbose=0)
    print(f"teacher {name}: {teacher.evaluate(x_test, y_test, verbose=0)[1]:.3f}")
    teachers.append(teacher)

# the mean of their centred logits; average="probabilities" takes the mean of their probabilities
distiller = Distiller(build("mlp-8", (8, 8, 1), 10), teachers, teacher_weights=[2, 1, 1])
distiller.compile("adam", alpha=0.3, temperature=3, metrics=["accuracy"])
distiller.fit(x, y, epochs=60, verbose=0)
print(distiller.evaluate(x_test, y_test, return_dict=True, verbose=0))
