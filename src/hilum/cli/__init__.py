"""The command line: parse, one call of `hilum.api`, print."""
