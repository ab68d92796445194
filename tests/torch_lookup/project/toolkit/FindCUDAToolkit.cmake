# Of 12.9: no CUDA::nvToolsExt.
add_library(CUDA::nvtx3 INTERFACE IMPORTED)
