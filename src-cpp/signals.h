// SPDX-License-Identifier: Apache-2.0
//
// The Go runtime and the host's signals (docs/design.md, "Signals stay the host's"). Go takes over what is Go's need:
// SIGSEGV, SIGBUS and SIGFPE, faults in Go code; what it does not know it passes on to the handler that was there. It also
// takes SIGPIPE, which Node and Bun ignore (their children would die of it), and SIGURG, by which it would interrupt its own
// threads; those are given back.
//
// A handler runs on the stack of the thread it interrupts, unless it was installed with SA_ONSTACK. Go adds that flag to the
// handlers it finds, but those that come later (libuv's have no such flag) would write beyond the end of a goroutine's stack,
// which may have less than 1 KB left. So Go's own threads block the signals of the host, and on the host's threads, whose
// calls into Go run on a goroutine's stack too, that stack is made large first.
#pragma once

namespace asherah {

/** When this library was loaded: gives back what Go took and does not need, and unblocks the signals of the loading thread. */
void AfterLoading();

/** Before the first call into Go on a thread of the host's; waits until Go is up. Later calls on that thread do nothing. */
void PrepareThread();

}  // namespace asherah
