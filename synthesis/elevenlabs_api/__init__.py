"""ElevenLabs' dialect, all but speech itself (that is the relay's): voices, models, account, history and usage.

Words are translated here and nothing more; what happens, happens in the services. docs/elevenlabs.md says what maps to what.
"""
