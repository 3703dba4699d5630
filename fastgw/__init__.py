"""fastgw: an AI gateway and control plane at the CPU cost of a plain proxy."""

__version__ = "0.1.0"
