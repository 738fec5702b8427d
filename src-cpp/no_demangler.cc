// SPDX-License-Identifier: Apache-2.0

// A statically linked libc++ (zig's, in the Linux prebuilds) brings its demangler along, 140 kB, for one use: the text that
// std::terminate prints when an exception was not caught. Nothing here throws. With this in its place the linker leaves
// the real one out, and such a text would show the mangled name, as the interface foresees when demangling fails.

#include <cstddef>

#if defined(_LIBCPP_VERSION) && defined(__ELF__)
extern "C" char *__cxa_demangle(const char *, char *, size_t *, int *status) {
  if (status != nullptr) *status = -2;  // not a valid name
  return nullptr;
}
#endif
