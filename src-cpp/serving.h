// SPDX-License-Identifier: Apache-2.0
//
// Keys that come from functions in JavaScript. The engine never calls them: its requests wait for the environment's thread,
// which takes them in the event loop, or in a synchronous call that would otherwise wait for them in vain.
#pragma once

#include <node_api.h>
#include <stdint.h>

#include "asherah.h"
#include "bytes.h"
#include "environment.h"

namespace asherah {

struct SyncJob;

/** A synchronous call that serves requests while it waits for its own result. */
class ServedCall {
 public:
  explicit ServedCall(Environment &environment) : environment_(environment) {}
  /** A call that is not done, because JavaScript failed meanwhile, goes on unheard. */
  ~ServedCall();
  ServedCall(const ServedCall &) = delete;
  ServedCall &operator=(const ServedCall &) = delete;

  /** False with an exception pending. */
  bool Run(int32_t op, uint64_t session, const Input &input);

  uint8_t *data() const;
  int64_t result() const;

 private:
  Environment &environment_;
  SyncJob *job_ = nullptr;
};

}  // namespace asherah
