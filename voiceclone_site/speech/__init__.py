"""The doors through which speech is streamed: one relay, and for each door the words that its callers use.

    dialect.py     what a door has to say: who asks, what is wished, how audio and refusals leave
    routes.py      which address is which door's
    native.py      POST /api/v1/speech
    openai.py      POST /v1/audio/speech

A dialect translates and nothing more. It is asked outside Django's request machinery and must touch neither database nor
network: everything in it runs on the event loop.
"""
