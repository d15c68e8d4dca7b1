"""The engine: Keras models as pure functions, trained side by side by one compiled program."""
