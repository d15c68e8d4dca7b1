"""A custom distillation loss: a function of logits that returns one value per example."""

from distillab import Distiller  # before keras, to select the backend
from distillab.data import load
from distillab.losses import distillation_kl
from distillab.models import build
import keras
from keras import ops


def confident_teacher_kl(student_logits, teacher_logits, labels, *, temperature):
    """T^2 KL, weighted by the teacher's confidence: (B, C), (B, C), (B,) to (B,)."""
    confidence = ops.max(ops.softmax(teacher_logits, axis=-1), axis=-1)
    return confidence * distillation_kl(student_logits, teacher_logits, temperature=temperature)


digits = load("digits")
x, y, x_test, y_test = digits.inputs(digits.x_train), digits.y_train, digits.inputs(digits.x_test), digits.y_test
teacher = build("mlp-128-128", (8, 8, 1), 10)
teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
teacher.fit(x, y, epochs=15, verbose=0)

for loss in ("kl", "decoupled", confident_teacher_kl):  # names: docs/losses.md
    keras.utils.set_random_seed(0)
    distiller = Distiller(build("mlp-8", (8, 8, 1), 10), teacher)
    distiller.compile("adam", distillation_loss=loss, alpha=0.3, temperature=3, metrics=["accuracy"])
    distiller.fit(x, y, epochs=40, verbose=0)
    accuracy = distiller.evaluate(x_test, y_test, return_dict=True, verbose=0)["accuracy"]
    print(f"{loss if isinstance(loss, str) else loss.__name__}: {accuracy:.3f}")
