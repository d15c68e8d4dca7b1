"""Run the teacher once: its logits are stored with the data, and on disk for the next run."""

import time

from distillab import Distiller, with_teacher_logits  # before keras, to select the backend
from distillab.data import load
from distillab.models import build
import keras

digits = load("digits")
x, y = digits.inputs(digits.x_train), digits.y_train
teacher = build("mlp-2000-2000", (8, 8, 1), 10)
teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
teacher.fit(x, y, epochs=5, verbose=0)

data = with_teacher_logits(x, teacher, cache="logits")  # takes tf.data, PyDataset and DataLoader as well
for name, inputs in (("live teacher", x), ("stored logits", data)):
    keras.utils.set_random_seed(0)
    distiller = Distiller(build("mlp-8", (8, 8, 1), 10), teacher)
    distiller.compile("adam", alpha=0.3, temperature=3)
    distiller.fit(inputs, y, epochs=1, shuffle=False, verbose=0)  # compiles
    start = time.perf_counter()
    loss = distiller.fit(inputs, y, epochs=5, shuffle=False, verbose=0).history["loss"][-1]
    print(f"{name}: loss {loss:.4f}, {(time.perf_counter() - start) / 5:.2f} s an epoch")
