"""Speech that follows a sample's pitch and timbre: espeak-ng, one equaliser, PyAV. Heavy: import late."""

import os

# The matrices are small: one thread is faster than several, and leaves the other core to the portal (measured).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
