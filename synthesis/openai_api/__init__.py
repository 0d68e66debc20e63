"""OpenAI's dialect, all but speech itself (that is the relay's): models, voices, and the consent recordings they are made under.

Words are translated here and nothing more; what happens, happens in the services. docs/openai.md says what maps to what.
"""
