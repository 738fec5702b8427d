// SPDX-License-Identifier: Apache-2.0
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#include <new>
#include <utility>

#include "environment.h"
#include "errors.h"

namespace asherah {

void Wipe(void *bytes, size_t size) {
  if (size == 0) return;
  memset(bytes, 0, size);
  __asm__ __volatile__("" : : "r"(bytes) : "memory");  // somebody may look
}

void Free::operator()(void *memory) const {
  free(memory);
}

ScratchLease::ScratchLease(Environment &environment)
    : environment_(environment), scratch_(std::move(environment.spare_scratch)) {
  // `new Scratch` and not `new Scratch()`: that would write zeros to all of it.
  if (!scratch_) scratch_.reset(new (std::nothrow) Scratch);
}

ScratchLease::~ScratchLease() {
  if (!environment_.spare_scratch) environment_.spare_scratch = std::move(scratch_);
}

Input::~Input() {
  if (copied_ && secrecy_ == Secrecy::kPlaintext) Wipe(data_, size_);
}

bool Input::ReadString(napi_env env, napi_value value, const char *expected) {
  return Finish(TryString(env, value), env, expected);
}

bool Input::ReadBytes(napi_env env, napi_value value, const char *expected) {
  return Finish(TryBytes(env, value), env, expected);
}

bool Input::ReadStringOrBytes(napi_env env, napi_value value, const char *expected) {
  Outcome outcome = TryString(env, value);
  if (outcome == Outcome::kOtherType) outcome = TryBytes(env, value);
  return Finish(outcome, env, expected);
}

bool Input::ReadBytesOrString(napi_env env, napi_value value, const char *expected) {
  Outcome outcome = TryBytes(env, value);
  if (outcome == Outcome::kOtherType) outcome = TryString(env, value);
  return Finish(outcome, env, expected);
}

bool Input::Finish(Outcome outcome, napi_env env, const char *expected) {
  if (outcome == Outcome::kOtherType) ThrowInvalidArgument(env, expected);
  return outcome == Outcome::kRead;
}

Input::Outcome Input::TryString(napi_env env, napi_value value) {
  size_t units;  // in latin-1, only to ask for the length: Node-API knows that one without looking at the string
  napi_status status = napi_get_value_string_latin1(env, value, nullptr, 0, &units);
  if (status == napi_string_expected) return Outcome::kOtherType;
  if (status != napi_ok) {
    ThrowNodeApiFailed(env, "reading a string");
    return Outcome::kThrew;
  }
  // Room for the longest possible UTF-8: with less V8 first measures the string, which takes longer than to convert it.
  // (napi_get_value_string_latin1 would be faster still, but turns U+0141 into "A" without a word.)
  size_t capacity = units * 3 + 1;
  data_ = scratch_.in;
  if (capacity > Scratch::kSize) {
    heap_.reset(static_cast<uint8_t *>(malloc(capacity)));
    data_ = heap_.get();
    if (data_ == nullptr) {
      ThrowTooLarge(env, "a string", capacity);
      return Outcome::kThrew;
    }
  }
  copied_ = true;
  status = napi_get_value_string_utf8(env, value, reinterpret_cast<char *>(data_), capacity, &size_);
  if (status == napi_ok) return Outcome::kRead;
  ThrowNodeApiFailed(env, "reading a string");
  return Outcome::kThrew;
}

Input::Outcome Input::TryBytes(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t size;
  void *data;
  napi_status status = napi_get_typedarray_info(env, value, &type, &size, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array) return Outcome::kOtherType;
  data_ = static_cast<uint8_t *>(data);
  size_ = size;
  return Outcome::kRead;
}

Output::~Output() {
  if (secrecy_ == Secrecy::kPlaintext) Wipe(data_, used_);
}

int64_t Output::Run(Operation operation, uint64_t session, int32_t flags, const Input &input, asherah_error &error) {
  for (;;) {
    int64_t result = operation(session, flags, input.data(), input.size(), data_, capacity_, &error);
    if (result >= 0) {
      used_ = static_cast<size_t>(result & ~ASHERAH_NOT_ASCII);
      return result;
    }
    if (result == ASHERAH_FAILED || result == ASHERAH_COLD) return result;
    if (!Grow(static_cast<size_t>(-result))) {
      FillTooLarge(error, "the result", static_cast<unsigned long long>(-result));
      return ASHERAH_FAILED;
    }
  }
}

bool Output::Grow(size_t capacity) {
  if (capacity <= capacity_) return false;  // the engine asked for what it has: never loop on that
  heap_.reset(static_cast<uint8_t *>(malloc(capacity)));
  if (!heap_) return false;
  data_ = heap_.get();
  capacity_ = capacity;
  return true;
}

bool IsAscii(const uint8_t *bytes, size_t size) {
  constexpr size_t kBlock = 32;
  uint64_t seen = 0;
  size_t i = 0;
  for (; i + kBlock <= size; i += kBlock) {
    uint64_t words[kBlock / sizeof(uint64_t)];
    memcpy(words, bytes + i, kBlock);
    seen |= (words[0] | words[1]) | (words[2] | words[3]);
  }
  uint8_t rest = 0;
  for (; i < size; i++) rest |= bytes[i];
  return ((seen & 0x8080808080808080u) | (rest & 0x80u)) == 0;
}

napi_value RecordToString(napi_env env, const uint8_t *bytes, int64_t result) {
  if ((result & ASHERAH_NOT_ASCII) == 0) return AsciiToString(env, bytes, static_cast<size_t>(result));
  size_t size = static_cast<size_t>(result & ~ASHERAH_NOT_ASCII);
  napi_value string;
  if (napi_create_string_utf8(env, reinterpret_cast<const char *>(bytes), size, &string) == napi_ok) return string;
  return ThrowTooLarge(env, "the record", size);
}

napi_value AsciiToString(napi_env env, const uint8_t *bytes, size_t size) {
  napi_value string;
  if (napi_create_string_latin1(env, reinterpret_cast<const char *>(bytes), size, &string) == napi_ok) return string;
  return ThrowTooLarge(env, "the result", size);
}

}  // namespace asherah
