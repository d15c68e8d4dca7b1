"""The tables of a study's file, version by version."""

VERSION = 6

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

_CELLS = """
CREATE TABLE cells (
    number INTEGER PRIMARY KEY, coordinates TEXT NOT NULL, settings TEXT NOT NULL, UNIQUE (coordinates, settings));
"""

_TRIALS = """ (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seed INTEGER, alpha REAL,
    cell INTEGER NOT NULL REFERENCES cells, teacher TEXT REFERENCES teachers,
    state TEXT CHECK (state IN ('finished', 'diverged')), diverged_epoch INTEGER, last_finite_loss REAL);
"""

_METRICS = """
CREATE TABLE metric_names (
    number INTEGER PRIMARY KEY, split TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test')),
    name TEXT NOT NULL, UNIQUE (split, name));
CREATE TABLE metric_values (
    metric INTEGER REFERENCES metric_names, trial INTEGER REFERENCES trials, value REAL,
    PRIMARY KEY (metric, trial)) WITHOUT ROWID;
"""

_EPOCHS = """
CREATE TABLE epoch_values (
    trial INTEGER REFERENCES trials, epoch INTEGER, loss REAL, hard REAL, soft REAL, validation_accuracy REAL,
    PRIMARY KEY (trial, epoch)) WITHOUT ROWID;
"""

_VIEWS = """
CREATE VIEW metrics AS
    SELECT trials.id AS trial, split, name, value
    FROM metric_names JOIN metric_values ON metric = metric_names.number JOIN trials ON trials.number = trial;
CREATE VIEW epochs AS
    SELECT trials.id AS trial, epoch, loss, hard, soft, validation_accuracy
    FROM epoch_values JOIN trials ON trials.number = trial;
"""

SCHEMA = f"""
CREATE TABLE teachers (id TEXT PRIMARY KEY, settings TEXT, weights TEXT, examples INTEGER, metrics TEXT);
CREATE TABLE teacher_epochs (teacher TEXT REFERENCES teachers, epoch INTEGER, loss REAL, PRIMARY KEY (teacher, epoch));
{_CELLS}
CREATE TABLE trials {_TRIALS}
{_METRICS}
{_EPOCHS}
CREATE TABLE confusions (trial TEXT PRIMARY KEY REFERENCES trials (id), counts TEXT);
CREATE TABLE answers (
    trial TEXT PRIMARY KEY REFERENCES trials (id), classes INTEGER, probabilities BLOB, labels BLOB);
CREATE TABLE runs (id INTEGER PRIMARY KEY, started TEXT, finished TEXT, provenance TEXT);
CREATE TABLE cohorts (
    id INTEGER PRIMARY KEY, run INTEGER REFERENCES runs, students INTEGER, examples INTEGER, seconds REAL);
{_SHOWN.replace("REFERENCES trials", "REFERENCES trials (id)")}
{_VIEWS}"""

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
    # What every row repeated is told once: settings by cell, a metric's name by number, a trial's by number. The new
    # table of trials takes the old one's name last, so that other tables go on referring to it. Rows are copied in the
    # order of their keys, sorted outside of memory.
    5: f"""
{_CELLS}
INSERT INTO cells (coordinates, settings)
    SELECT coordinates, settings FROM trials GROUP BY coordinates, settings ORDER BY min(rowid);
CREATE TABLE trials_of_version_6 {_TRIALS}
INSERT INTO trials_of_version_6
    SELECT trials.rowid, id, seed, alpha, number, teacher, state, diverged_epoch, last_finite_loss
    FROM trials JOIN cells USING (coordinates, settings) ORDER BY trials.rowid;
DROP TABLE trials;
ALTER TABLE trials_of_version_6 RENAME TO trials;
{_METRICS}
INSERT INTO metric_names (split, name)
    SELECT split, name FROM metrics GROUP BY split, name ORDER BY min(rowid);
INSERT INTO metric_values
    SELECT metric_names.number, trials.number, value
    FROM metrics JOIN metric_names USING (split, name) JOIN trials ON trials.id = trial ORDER BY 1, 2;
DROP TABLE metrics;
{_EPOCHS}
INSERT INTO epoch_values
    SELECT trials.number, epoch, loss, hard, soft, validation_accuracy
    FROM epochs JOIN trials ON trials.id = trial ORDER BY 1, 2;
DROP TABLE epochs;
{_VIEWS}""",
}
"""From a version to the next one."""

_OF_TRIALS = (
    "SELECT trials.id, seed, alpha, coordinates, settings, teacher, state, diverged_epoch, last_finite_loss "
    "FROM trials JOIN cells ON cells.number = cell"
)

RESULTS = {
    "teachers": ("SELECT * FROM teachers", 1),
    "teacher_epochs": ("SELECT * FROM teacher_epochs", 2),
    "trials": (_OF_TRIALS, 1),
    "epochs": ("SELECT * FROM epochs", 2),
    "metrics": ("SELECT * FROM metrics", 3),
    "confusions": ("SELECT * FROM confusions", 1),
    "answers": ("SELECT * FROM answers", 1),
    "reliability": ("SELECT * FROM reliability", 1),
    "examples": ("SELECT * FROM examples", 1),
    "shown": ("SELECT * FROM shown", 1),
    "teacher_shown": ("SELECT * FROM teacher_shown", 2),
}
"""The results without the numbers that only this file knows: what selects them, and how many columns, the first ones,
tell a row from the others."""
