"""Tables and evidence to one self-contained HTML page."""
