// SPDX-License-Identifier: Apache-2.0
#include "signals.h"

#ifndef _WIN32
#include <signal.h>

#include <mutex>

namespace asherah {
namespace {

struct sigaction before;
bool known = false;

// 101, the first that is free: constructors without a priority come later, Go's among them.
__attribute__((constructor(101))) void Remember() {
  known = sigaction(SIGPIPE, nullptr, &before) == 0;
}

}  // namespace

void RestoreSigpipe() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (known) (void)sigaction(SIGPIPE, &before, nullptr);
  });
}

}  // namespace asherah
#else
namespace asherah {
void RestoreSigpipe() {}
}  // namespace asherah
#endif
