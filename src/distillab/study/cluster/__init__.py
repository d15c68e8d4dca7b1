"""Students on a Ray cluster: a cohort a task, placed by Ray, tried again where it is lost, recorded by who asked."""

from distillab.study.cluster.executor import RayExecutor

__all__ = ["RayExecutor"]
