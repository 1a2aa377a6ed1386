"""The tables of an experiment's SQLite file."""

from __future__ import annotations

from typing import Literal, get_args

Status = Literal["pending", "running", "done", "failed"]

TRIALS_FILE = "trials.sqlite"
"""Usual name of the file in the directory of a study."""

VERSION = 1
# "DART": distinguishes the file from those of other programs.
APPLICATION = 0x44415254
TABLES = (
    "CREATE TABLE experiment (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE environment (id INTEGER PRIMARY KEY, description TEXT NOT NULL UNIQUE)",
    f"""CREATE TABLE trial (
        number INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        settings TEXT NOT NULL,
        seed INTEGER GENERATED ALWAYS AS (json_extract(settings, '$.seed')) VIRTUAL,
        status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN {get_args(Status)}),
        attempts INTEGER NOT NULL DEFAULT 0,
        started INTEGER,
        finished INTEGER,
        milliseconds INTEGER,
        result TEXT,
        error TEXT,
        environment INTEGER REFERENCES environment (id)
    )""",
    "CREATE INDEX trial_status ON trial (status)",
    """CREATE TABLE curve (
        trial INTEGER NOT NULL REFERENCES trial (number),
        epoch INTEGER NOT NULL,
        measured TEXT NOT NULL,
        PRIMARY KEY (trial, epoch)
    ) WITHOUT ROWID""",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)
