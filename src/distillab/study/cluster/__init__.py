"""Students on a Ray cluster: a cohort a task, placed and tried again by Ray, recorded by the process that asked."""

from distillab.study.cluster.executor import RayExecutor

__all__ = ["RayExecutor"]
