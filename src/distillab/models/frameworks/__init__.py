"""Trained models of other frameworks, each as a `ForeignModel`."""
