"""Reports that were never a patient's: a grammar as data, and what speaks by it."""
