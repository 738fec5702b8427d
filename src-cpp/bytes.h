// SPDX-License-Identifier: Apache-2.0
//
// Bytes on their way from JavaScript to the engine and back, with as few copies as Node-API allows.
#pragma once

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#include <memory>

#include "asherah.h"

namespace asherah {

class Environment;

/** Overwrites plaintext in a way that the compiler may not leave out. */
void Wipe(void *bytes, size_t size);

/** What the sync calls of one environment work in, so that none of them allocates. Only touched pages cost memory. */
struct Scratch {
  static constexpr size_t kSize = 128 * 1024;
  uint8_t in[kSize];
  uint8_t out[kSize];
};

/** The environment's scratch memory for the length of one call. A call nested in it gets memory of its own. */
class ScratchLease {
 public:
  explicit ScratchLease(Environment &environment);
  ~ScratchLease();
  ScratchLease(const ScratchLease &) = delete;
  ScratchLease &operator=(const ScratchLease &) = delete;

  /** nullptr when out of memory. */
  Scratch *get() const { return scratch_.get(); }

 private:
  Environment &environment_;
  std::unique_ptr<Scratch> scratch_;
};

struct Free {
  void operator()(void *memory) const;
};
using HeapBytes = std::unique_ptr<uint8_t, Free>;

enum class Secrecy { kPublic, kPlaintext };

/** The bytes of a string (as UTF-8) or Uint8Array argument during the call; copies of plaintext are wiped afterwards. */
class Input {
 public:
  Input(Scratch &scratch, Secrecy secrecy) : scratch_(scratch), secrecy_(secrecy) {}
  ~Input();
  Input(const Input &) = delete;
  Input &operator=(const Input &) = delete;

  /** False with an exception pending. `expected` is the whole message about a value of another type. */
  bool ReadString(napi_env env, napi_value value, const char *expected);
  bool ReadBytes(napi_env env, napi_value value, const char *expected);
  /** The first form is tried first. */
  bool ReadStringOrBytes(napi_env env, napi_value value, const char *expected);
  bool ReadBytesOrString(napi_env env, napi_value value, const char *expected);

  uint8_t *data() const { return data_; }
  size_t size() const { return size_; }

 private:
  enum class Outcome { kRead, kOtherType, kThrew };
  Outcome TryString(napi_env env, napi_value value);
  Outcome TryBytes(napi_env env, napi_value value);
  static bool Finish(Outcome outcome, napi_env env, const char *expected);

  Scratch &scratch_;
  const Secrecy secrecy_;
  HeapBytes heap_;
  bool copied_ = false;
  uint8_t *data_ = nullptr;
  size_t size_ = 0;
};

/** Where the engine writes a result: scratch memory, or the heap when it asks for more. Plaintext is wiped afterwards. */
class Output {
 public:
  Output(Scratch &scratch, Secrecy secrecy) : secrecy_(secrecy), data_(scratch.out), capacity_(Scratch::kSize) {}
  ~Output();
  Output(const Output &) = delete;
  Output &operator=(const Output &) = delete;

  using Operation = int64_t (*)(uint64_t session, int32_t flags, uint8_t *in, size_t in_len, uint8_t *out,
                                size_t out_cap, asherah_error *error);
  /** One call of the engine, a second one when the result needs more memory. As asherah_encrypt, but never -n. */
  int64_t Run(Operation operation, uint64_t session, int32_t flags, const Input &input, asherah_error &error);

  uint8_t *data() const { return data_; }

 private:
  bool Grow(size_t capacity);

  const Secrecy secrecy_;
  HeapBytes heap_;
  uint8_t *data_;
  size_t capacity_;
  size_t used_ = 0;
};

bool IsAscii(const uint8_t *bytes, size_t size);

/** A record as the engine returned it, length and ASHERAH_NOT_ASCII in `result`. nullptr with an exception pending. */
napi_value RecordToString(napi_env env, const uint8_t *bytes, int64_t result);

/** nullptr with an exception pending. */
napi_value AsciiToString(napi_env env, const uint8_t *bytes, size_t size);

}  // namespace asherah
