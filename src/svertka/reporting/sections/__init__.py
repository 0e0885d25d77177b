"""The sections of a run's report, a folder each: a function from the run folder to plain data, and a template."""
