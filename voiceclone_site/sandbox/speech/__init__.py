"""Speech that follows a sample's pitch and timbre: espeak-ng, one equaliser, PyAV. Heavy: import late."""
