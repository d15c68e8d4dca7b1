"""Move from the teacher to the labels: alpha rises from 0.1 to 0.9 while the temperature falls."""

from distillab import AlphaSchedule, Distiller  # before keras, to select the backend
from distillab.data import load
from distillab.models import build
import keras

digits = load("digits")
x, y = digits.inputs(digits.x_train), digits.y_train
teacher, student = build("mlp-128-128", (8, 8, 1), 10), build("mlp-8", (8, 8, 1), 10)
teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
teacher.fit(x, y, epochs=15, verbose=0)

distiller = Distiller(student, teacher)
distiller.compile("adam", metrics=["accuracy"])
schedules = [
    AlphaSchedule.linear(0.1, 0.9, epochs=40),
    AlphaSchedule.cosine(5.0, 1.0, epochs=40, of="temperature"),
    # or any function of the epoch: AlphaSchedule(lambda epoch: 0.9 ** epoch)
]
history = distiller.fit(x, y, epochs=40, callbacks=schedules, validation_split=0.1, verbose=0).history
for epoch in (0, 19, 39):
    print({name: round(history[name][epoch], 3) for name in ("alpha", "temperature", "loss", "val_accuracy")})
