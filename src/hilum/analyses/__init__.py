"""Studies: label files in, one page of tables and figures out."""
