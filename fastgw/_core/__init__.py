"""The Cython kernels; they import nothing of fastgw above this package."""
