"""The tables of study.db, and the types that their rows must have."""

APPLICATION_ID = 0x646C6162
"""`PRAGMA application_id`: "dlab"."""

EARLIER_ID = 0x64697374
""""dist", in files that distillab wrote before schema 1."""

VERSION = 4
"""`PRAGMA user_version`; any new table or column raises it. `ADDED` brings an older file up to it."""

SCHEMA = f"""
CREATE TABLE teachers (id TEXT PRIMARY KEY, settings TEXT, weights TEXT, examples INTEGER, metrics TEXT);
CREATE TABLE teacher_epochs (teacher TEXT REFERENCES teachers, epoch INTEGER, loss REAL, PRIMARY KEY (teacher, epoch));
CREATE TABLE cells (
    number INTEGER PRIMARY KEY, coordinates TEXT NOT NULL, settings TEXT NOT NULL, UNIQUE (coordinates, settings));
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seed INTEGER, alpha REAL,
    cell INTEGER NOT NULL REFERENCES cells, teacher TEXT REFERENCES teachers,
    state TEXT CHECK (state IN ('finished', 'diverged')), diverged_epoch INTEGER, last_finite_loss REAL);
CREATE TABLE epoch_values (
    trial INTEGER REFERENCES trials, epoch INTEGER, loss REAL, label_loss REAL, distillation_loss REAL,
    validation_accuracy REAL, PRIMARY KEY (trial, epoch)) WITHOUT ROWID;
CREATE TABLE metric_names (
    number INTEGER PRIMARY KEY, split TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test')),
    name TEXT NOT NULL, UNIQUE (split, name));
CREATE TABLE metric_values (
    metric INTEGER REFERENCES metric_names, trial INTEGER REFERENCES trials, value REAL,
    PRIMARY KEY (metric, trial)) WITHOUT ROWID;
CREATE TABLE confusions (trial TEXT PRIMARY KEY REFERENCES trials (id), counts TEXT);
CREATE TABLE reliability (trial TEXT PRIMARY KEY REFERENCES trials (id), bins TEXT);
CREATE TABLE details (trial TEXT PRIMARY KEY REFERENCES trials (id), content TEXT);
CREATE TABLE test_correct (trial TEXT PRIMARY KEY REFERENCES trials (id), examples INTEGER, correct BLOB);
CREATE TABLE validation_predictions (
    trial TEXT PRIMARY KEY REFERENCES trials (id), classes INTEGER, probabilities BLOB, labels BLOB);
CREATE TABLE validation_examples (
    teacher TEXT, examples TEXT, classes INTEGER, probabilities BLOB, trusted BLOB, PRIMARY KEY (teacher, examples));
CREATE TABLE examples (id TEXT PRIMARY KEY, type TEXT, shape TEXT, scale REAL, inputs BLOB, labels BLOB);
CREATE TABLE example_predictions (
    trial TEXT PRIMARY KEY REFERENCES trials (id), examples TEXT REFERENCES examples, classes INTEGER, labels BLOB,
    logits BLOB);
CREATE TABLE teacher_example_predictions (
    teacher TEXT, examples TEXT REFERENCES examples, classes INTEGER, logits BLOB, PRIMARY KEY (teacher, examples));
CREATE TABLE runs (id INTEGER PRIMARY KEY, started TEXT, finished TEXT, provenance TEXT);
CREATE TABLE cohorts (
    id INTEGER PRIMARY KEY, run INTEGER REFERENCES runs, students INTEGER, examples INTEGER, seconds REAL);
CREATE VIEW metrics AS
    SELECT trials.id AS trial, split, name, value
    FROM metric_names JOIN metric_values ON metric = metric_names.number JOIN trials ON trials.number = trial;
CREATE VIEW epochs AS
    SELECT trials.id AS trial, epoch, loss, label_loss, distillation_loss, validation_accuracy
    FROM epoch_values JOIN trials ON trials.number = trial;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""

ADDED = {
    2: ("details", "(trial TEXT PRIMARY KEY, content TEXT)"),
    3: ("test_correct", "(trial TEXT PRIMARY KEY, examples INTEGER, correct BLOB)"),
    4: (
        "validation_examples",
        "(teacher TEXT, examples TEXT, classes INTEGER, probabilities BLOB, trusted BLOB, "
        "PRIMARY KEY (teacher, examples))",
    ),
}
"""By version, the table that it added to the one before."""

RESULTS = {
    "trials": "SELECT trials.id, seed, alpha, coordinates, settings, teacher, state, diverged_epoch, last_finite_loss "
    "FROM trials JOIN cells ON cells.number = cell",
    **{
        name: f"SELECT * FROM {name}"
        for name in (
            *("teachers", "teacher_epochs", "epochs", "metrics", "confusions", "reliability", "details"),
            *("test_correct", "validation_predictions", "validation_examples"),
            *("examples", "example_predictions", "teacher_example_predictions"),
        )
    },
}
"""By table, the query for its results, without the numbers that only this file knows."""

_NUMBER = "typeof({0}) NOT IN ('real', 'integer', 'null')"  # NULL stands for a number that is not finite
INVALID = {
    "trials": "typeof(id) <> 'text' OR typeof(teacher) <> 'text' OR typeof(seed) <> 'integer' OR "
    "typeof(alpha) NOT IN ('real', 'integer') OR alpha NOT BETWEEN -1e308 AND 1e308 OR "
    f"typeof(diverged_epoch) NOT IN ('integer', 'null') OR {_NUMBER.format('last_finite_loss')}",
    "metric_values": _NUMBER.format("value"),
    "epoch_values": " OR ".join(
        _NUMBER.format(name) for name in ("loss", "label_loss", "distillation_loss", "validation_accuracy")
    ),
    "teacher_epochs": _NUMBER.format("loss"),
    "cells": "NOT json_valid(coordinates) OR NOT json_valid(settings)",
    "teachers": "typeof(id) <> 'text' OR NOT json_valid(settings) OR NOT json_valid(metrics)",
}
"""By table, the condition of rows that distillab never writes: SQLite accepts any type in any column."""
