"""Named runs: functions that return a resolved configuration."""
