"""distillab: a laboratory for knowledge distillation on Keras 3."""

import os
import sys

__version__ = "0.1.0"

if "keras" not in sys.modules:  # Keras reads this once, at its first import; a user's own choice stands
    os.environ.setdefault("KERAS_BACKEND", "jax")
