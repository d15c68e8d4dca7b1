"""Tasks: what a model's outputs and the labels mean. Losses, metrics, data, models and reports ask the task."""

from distillab.tasks.labels import UNKNOWN, canonical_labels, known_entries
from distillab.tasks.recognition import Head, check_head, recognise
from distillab.tasks.task import SEVERAL, TASKS, Part, Task, TaskName, task_named

__all__ = [
    "SEVERAL",
    "TASKS",
    "UNKNOWN",
    "Head",
    "Part",
    "Task",
    "TaskName",
    "canonical_labels",
    "check_head",
    "known_entries",
    "recognise",
    "task_named",
]
