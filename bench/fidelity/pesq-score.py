"""python pesq-score.py RATE nb|wb: reads the reference and then as many 16-bit samples of the degraded speech, prints PESQ (ITU-T P.862)."""

import sys

import numpy as np
from pesq import pesq

rate, mode = int(sys.argv[1]), sys.argv[2]
samples = np.frombuffer(sys.stdin.buffer.read(), dtype=np.int16)
reference, degraded = np.split(samples, 2)
print(pesq(rate, reference, degraded, mode))
