"""Data sets, their label noise and their splits."""

from distillab.data.archive import read_dataset
from distillab.data.catalogue import LOADERS, load, task_of
from distillab.data.dataset import Dataset
from distillab.data.inventory import Entry, check, find, inventory
from distillab.data.noise import NOISE_KINDS, Perturbed, perturb, transition_matrix
from distillab.data.reading import ReadOptions, Source, dataset_from, read_data, read_source
from distillab.data.splits import strata, stratified_split, stratified_subset
from distillab.data.synthetic import synthetic

__all__ = [
    "LOADERS",
    "NOISE_KINDS",
    "Dataset",
    "Entry",
    "Perturbed",
    "ReadOptions",
    "Source",
    "check",
    "dataset_from",
    "find",
    "inventory",
    "load",
    "perturb",
    "read_data",
    "read_dataset",
    "read_source",
    "strata",
    "stratified_split",
    "stratified_subset",
    "synthetic",
    "task_of",
    "transition_matrix",
]
