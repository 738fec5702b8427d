// SPDX-License-Identifier: Apache-2.0
#include "signals.h"

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>

#include <iterator>
#include <mutex>

#include "asherah.h"

namespace asherah {
namespace {

const int given_back[] = {SIGPIPE, SIGURG};
struct sigaction before[std::size(given_back)];
bool known[std::size(given_back)];

/** The signal mask of this thread while the host's signals are blocked. */
thread_local sigset_t mask;
thread_local bool blocked = false;

void Block() {
  sigset_t signals;
  sigfillset(&signals);
  // Those of the thread's own faults: blocked ones would end the process.
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&signals, fault);
  if (!blocked) blocked = pthread_sigmask(SIG_BLOCK, &signals, &mask) == 0;
}

void Unblock() {
  if (blocked) (void)pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  blocked = false;
}

// 101, the first that is free: constructors without a priority come later, Go's among them, which starts the thread that
// all of Go's threads have their signal mask from.
__attribute__((constructor(101))) void BeforeGo() {
  for (size_t i = 0; i < std::size(given_back); i++) known[i] = sigaction(given_back[i], nullptr, &before[i]) == 0;
  Block();
}

}  // namespace

void AfterLoading() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (size_t i = 0; i < std::size(given_back); i++) {
      if (known[i]) (void)sigaction(given_back[i], &before[i], nullptr);
    }
  });
  Unblock();
}

void PrepareThread() {
  static thread_local bool prepared = false;
  if (prepared) return;
  Block();
  asherah_prepare_thread();
  Unblock();
  prepared = true;
}

}  // namespace asherah
#else
namespace asherah {
void AfterLoading() {}
void PrepareThread() {}
}  // namespace asherah
#endif
