"""pgbench's scripts as scenarios: the language, its interpreter, and the scenario that runs a script."""
