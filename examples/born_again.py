"""Born-again generations: a model teaches a student of the same architecture, which teaches the next.

Furlanello, Lipton, Tschannen, Itti and Anandkumar, "Born-Again Neural Networks", 2018. Their ensemble of all
generations is `Distiller(student, generations)`.
"""

from distillab import Distiller  # before keras, to select the backend
from distillab.data import load
from distillab.models import build
import keras

digits = load("digits")
x, y, x_test, y_test = digits.inputs(digits.x_train), digits.y_train, digits.inputs(digits.x_test), digits.y_test
first = build("mlp-16", (8, 8, 1), 10)
first.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
first.fit(x, y, epochs=30, verbose=0)
print(f"generation 0: {first.evaluate(x_test, y_test, verbose=0)[1]:.3f}")

generations = [first]
for number in range(1, 4):
    distiller = Distiller(build("mlp-16", (8, 8, 1), 10), generations[-1])
    distiller.compile("adam", alpha=0.5, temperature=1, metrics=["accuracy"])  # the paper uses no temperature
    distiller.fit(x, y, epochs=30, verbose=0)
    logs = distiller.evaluate(x_test, y_test, return_dict=True, verbose=0)
    print(f"generation {number}: {logs['accuracy']:.3f}, agrees with its teacher on {logs['agreement']:.3f}")
    generations.append(distiller.student)
