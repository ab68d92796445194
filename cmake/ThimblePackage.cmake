# `make package`: Debian packages. `thimble` is what `make install` installs: program, plugins, headers, CMake files.
# `thimble-emulator` brings what compiles and runs programs for microcontrollers, and the plugin of QEMU that counts
# instructions, whose licence is another one.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # tests and benchmarks are not installed, so need not be built

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The authors of thimble <thimble@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL Unspecified emulator)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})

set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_NAME thimble)
# OpenBLAS multiplies matrices about 60 times as fast as the BLAS that LibTorch alone would bring.
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_DEPENDS libopenblas0-pthread)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_RECOMMENDS "gnuplot-nox, thimble-emulator")
# For plugins of one's own.
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SUGGESTS
    "g++, cmake, libtorch-dev, libboost-filesystem-dev, libfmt-dev, libgtest-dev")

set(CPACK_DEBIAN_EMULATOR_PACKAGE_NAME thimble-emulator)
set(CPACK_DEBIAN_EMULATOR_DESCRIPTION
    "Compiles thimble's networks for Cortex-M, runs them in QEMU and counts their instructions")
set(CPACK_DEBIAN_EMULATOR_PACKAGE_DEPENDS
    "gcc-arm-none-eabi, libnewlib-arm-none-eabi, qemu-system-arm")
include(CPack)
