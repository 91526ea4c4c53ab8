"""The version of hilum; pyproject.toml reads it from here."""

VERSION = "0.1.0"
