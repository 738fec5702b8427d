// SPDX-License-Identifier: Apache-2.0
//
// The Go runtime takes SIGPIPE over when a library with it is loaded, where Node and Bun ignore it; the children they
// start would then die of it. Nothing of ours needs that signal: Go's handler serves a Go program's standard output.
//
// The handlers it needs stay: those of faults in Go code (SIGSEGV, SIGBUS, SIGFPE), which pass on what they do not know
// to the handler that was there, and SIGURG, by which it interrupts its own threads.
#pragma once

namespace asherah {

/**
 * Gives SIGPIPE back to whoever had it before this library was loaded. Later calls do nothing. Go's constructor has set its
 * handler by the time that dlopen returns, and its runtime, which then starts, sets none (runtime.initsig of a C archive).
 */
void RestoreSigpipe();

}  // namespace asherah
