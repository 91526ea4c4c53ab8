"""Arrays in, intervals, tests and fitted regressions out; nothing here knows a finding or a file."""
