"""Strings to spans: normalisation, sections, sentences, scope of negation and uncertainty."""
