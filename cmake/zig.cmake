# SPDX-License-Identifier: Apache-2.0
#
# Toolchain file: zig as C and C++ compiler, for Linux prebuilds that run on an old glibc. A Debian 12 gcc asks for glibc
# 2.34 (2.35 with its static libstdc++), so that RHEL 8 or Ubuntu 20.04 could not load the file; Node.js itself asks for 2.28.
# From the environment: ZIG (path of the zig binary) and ZIG_TARGET (x86_64-linux-gnu.2.28, aarch64-linux-gnu.2.28).
#
# One wrapper per target, with the target in its name: Go's build cache knows a compiler by its path only, not by what an
# environment variable makes of it, and would mix the objects of two targets.
set(CMAKE_SYSTEM_NAME Linux)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG_TARGET ZIG ZIG_BIN_DIR)
if(NOT ZIG_TARGET)
  set(ZIG_TARGET "$ENV{ZIG_TARGET}" CACHE STRING "")
  set(ZIG "$ENV{ZIG}" CACHE STRING "")
  set(ZIG_BIN_DIR "${CMAKE_BINARY_DIR}" CACHE STRING "")
endif()
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${ZIG_TARGET}")
foreach(k cc c++)
  set(w "${ZIG_BIN_DIR}/zig-${k}-${ZIG_TARGET}")
  if(NOT EXISTS "${w}")
    file(WRITE "${w}" "#!/bin/sh\nexec \"${ZIG}\" ${k} -target ${ZIG_TARGET} \"$@\"\n")
    file(CHMOD "${w}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endif()
endforeach()
set(CMAKE_C_COMPILER "${ZIG_BIN_DIR}/zig-cc-${ZIG_TARGET}")
set(CMAKE_CXX_COMPILER "${ZIG_BIN_DIR}/zig-c++-${ZIG_TARGET}")
