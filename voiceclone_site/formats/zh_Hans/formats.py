"""2,000,000 and not 2000000: Django writes large figures in Chinese without any mark."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
