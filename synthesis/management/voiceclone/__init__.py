"""The command line `manage.py voiceclone`: one module for each idea, and two ways to do the same (direct.py, records.py)."""
