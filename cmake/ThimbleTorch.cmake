# LibTorch, 1.13 or newer: Debian's, or one that CMAKE_PREFIX_PATH names (docs/libtorch.md). Of thimble's own build and
# of those of plugins.

# Torch built for CUDA until 2.6 links a library that toolkits from 12.9 on do not have; its headers took its place.
find_package(CUDAToolkit QUIET)
if(TARGET CUDA::nvtx3 AND NOT TARGET CUDA::nvToolsExt)
  add_library(CUDA::nvToolsExt INTERFACE IMPORTED)
  set_property(TARGET CUDA::nvToolsExt PROPERTY INTERFACE_LINK_LIBRARIES CUDA::nvtx3)
endif()

find_package(Torch 1.13 REQUIRED)

# Strings and lists of the other ABI end in a page of undefined references.
if(TORCH_CXX_FLAGS MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
  message(FATAL_ERROR "This LibTorch is built with the C++ ABI of before C++11 (${Torch_DIR}). "
          "Take libtorch-cxx11-abi-shared-with-deps-VERSION.zip of the same version in its place, "
          "or LibTorch 2.7 or newer.")
endif()
