"""The tables of a study's file, version by version."""

VERSION = 5
RESULT_TABLES = (
    "teachers",
    "teacher_epochs",
    "trials",
    "epochs",
    "metrics",
    "confusions",
    "answers",
    "reliability",
    "examples",
    "shown",
    "teacher_shown",
)

_SHOWN = """
CREATE TABLE reliability (trial TEXT PRIMARY KEY REFERENCES trials, bins TEXT);
CREATE TABLE examples (
    id TEXT PRIMARY KEY, type TEXT, shape TEXT, scale REAL, inputs BLOB, labels BLOB);
CREATE TABLE shown (
    trial TEXT PRIMARY KEY REFERENCES trials, examples TEXT REFERENCES examples, classes INTEGER, labels BLOB,
    logits BLOB);
CREATE TABLE teacher_shown (
    teacher TEXT, examples TEXT REFERENCES examples, classes INTEGER, logits BLOB, PRIMARY KEY (teacher, examples));
"""

SCHEMA = f"""
CREATE TABLE teachers (id TEXT PRIMARY KEY, settings TEXT, weights TEXT, examples INTEGER, metrics TEXT);
CREATE TABLE teacher_epochs (teacher TEXT REFERENCES teachers, epoch INTEGER, loss REAL, PRIMARY KEY (teacher, epoch));
CREATE TABLE trials (
    id TEXT PRIMARY KEY, seed INTEGER, alpha REAL, coordinates TEXT, settings TEXT, teacher TEXT REFERENCES teachers,
    state TEXT CHECK (state IN ('finished', 'diverged')), diverged_epoch INTEGER, last_finite_loss REAL);
CREATE TABLE epochs (
    trial TEXT REFERENCES trials, epoch INTEGER, loss REAL, hard REAL, soft REAL, validation_accuracy REAL,
    PRIMARY KEY (trial, epoch));
CREATE TABLE metrics (
    trial TEXT REFERENCES trials, split TEXT CHECK (split IN ('train', 'validation', 'test')), name TEXT,
    value REAL, PRIMARY KEY (trial, split, name));
CREATE TABLE confusions (trial TEXT PRIMARY KEY REFERENCES trials, counts TEXT);
CREATE TABLE answers (trial TEXT PRIMARY KEY REFERENCES trials, classes INTEGER, probabilities BLOB, labels BLOB);
CREATE TABLE runs (id INTEGER PRIMARY KEY, started TEXT, finished TEXT, provenance TEXT);
CREATE TABLE cohorts (
    id INTEGER PRIMARY KEY, run INTEGER REFERENCES runs, students INTEGER, examples INTEGER, seconds REAL);
{_SHOWN}"""

MIGRATIONS = {
    1: """
ALTER TABLE metrics RENAME TO metrics_of_version_1;
CREATE TABLE metrics (
    trial TEXT REFERENCES trials, split TEXT CHECK (split IN ('train', 'validation', 'test')), name TEXT,
    value REAL, PRIMARY KEY (trial, split, name));
INSERT INTO metrics SELECT * FROM metrics_of_version_1;
DROP TABLE metrics_of_version_1;
""",
    2: "CREATE TABLE confusions (trial TEXT PRIMARY KEY REFERENCES trials, counts TEXT);",
    3: "CREATE TABLE answers (trial TEXT PRIMARY KEY REFERENCES trials, classes INTEGER, probabilities BLOB, "
    "labels BLOB);",
    4: _SHOWN,
}
"""From a version to the next one."""
