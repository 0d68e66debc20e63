"""Programs that measure and print; none of them is a test. Each says in its docstring how it is run."""
