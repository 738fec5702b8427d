// SPDX-License-Identifier: Apache-2.0
//
// The hot path: one call from JavaScript, one call of the engine, one value back. Plain Node-API, because every wrapper
// here is paid by every call.
#include <string.h>

#include "asherah.h"
#include "bytes.h"
#include "calls.h"
#include "errors.h"
#include "serving.h"

namespace asherah {
namespace {

napi_value Undefined(napi_env env) {
  napi_value undefined;
  return napi_get_undefined(env, &undefined) == napi_ok ? undefined : nullptr;
}

napi_value RunEncrypt(napi_env env, napi_callback_info info, int32_t flags) {
  Call<2> call(env, info);
  if (!call) return nullptr;
  uint64_t session;
  if (!ReadHandle(env, call[0], kExpectedSession, &session)) return nullptr;
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));

  Input data(*scratch.get(), Secrecy::kPlaintext);
  if (!data.ReadBytesOrString(env, call[1], kExpectedData)) return nullptr;
  Output record(*scratch.get(), Secrecy::kPublic);
  asherah_error error;
  int64_t result = record.Run(asherah_encrypt, session, flags, data, error);
  if (result == ASHERAH_FAILED) return Throw(env, error);
  if (result != ASHERAH_COLD) return RecordToString(env, record.data(), result);
  if (flags == ASHERAH_HOT_ONLY) return Undefined(env);
  ServedCall served(call.environment());
  if (!served.Run(ASHERAH_OP_ENCRYPT, session, data)) return nullptr;
  return RecordToString(env, served.data(), served.result());
}

/** Turns a plaintext into the value of the call. */
using ToValue = napi_value (*)(Environment &environment, const uint8_t *plaintext, size_t size, napi_value destination);

napi_value RunDecrypt(napi_env env, napi_callback_info info, int32_t flags, ToValue to_value) {
  Call<3> call(env, info);
  if (!call) return nullptr;
  uint64_t session;
  if (!ReadHandle(env, call[0], kExpectedSession, &session)) return nullptr;
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));

  Input record(*scratch.get(), Secrecy::kPublic);
  if (!record.ReadStringOrBytes(env, call[1], kExpectedRecord)) return nullptr;
  Output plaintext(*scratch.get(), Secrecy::kPlaintext);
  asherah_error error;
  int64_t result = plaintext.Run(asherah_decrypt, session, flags, record, error);
  if (result == ASHERAH_FAILED) return Throw(env, error);
  if (result != ASHERAH_COLD) {
    return to_value(call.environment(), plaintext.data(), static_cast<size_t>(result), call[2]);
  }
  if (flags == ASHERAH_HOT_ONLY) return Undefined(env);
  ServedCall served(call.environment());
  if (!served.Run(ASHERAH_OP_DECRYPT, session, record)) return nullptr;
  return to_value(call.environment(), served.data(), static_cast<size_t>(served.result()), call[2]);
}

/** Asked for at each call, when nothing can come between: JavaScript may detach an array at any other time. */
napi_value ToDestinationOrBuffer(Environment &environment, const uint8_t *plaintext, size_t size,
                                 napi_value destination) {
  napi_env env = environment.env();
  napi_typedarray_type type;
  size_t capacity;
  void *data;
  if (napi_get_typedarray_info(env, destination, &type, &capacity, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return ThrowInvalidArgument(env, "destination: expected a Uint8Array.");
  }
  if (size > capacity) return environment.NewBuffer(plaintext, size);
  napi_value length;
  if (napi_create_uint32(env, static_cast<uint32_t>(size), &length) != napi_ok) {
    return ThrowNodeApiFailed(env, "napi_create_uint32");
  }
  if (size > 0) memcpy(data, plaintext, size);
  return length;
}

napi_value ToStringIfAscii(Environment &environment, const uint8_t *plaintext, size_t size, napi_value) {
  if (IsAscii(plaintext, size)) return AsciiToString(environment.env(), plaintext, size);
  return environment.NewBuffer(plaintext, size);
}

}  // namespace

bool ReadHandle(napi_env env, napi_value value, const char *expected, uint64_t *handle) {
  double number;
  if (napi_get_value_double(env, value, &number) == napi_ok && number >= 0 && number <= kMaxHandle) {
    *handle = static_cast<uint64_t>(number);
    if (static_cast<double>(*handle) == number) return true;
  }
  ThrowInvalidArgument(env, expected);
  return false;
}

napi_value Encrypt(napi_env env, napi_callback_info info) {
  return RunEncrypt(env, info, 0);
}

napi_value EncryptHot(napi_env env, napi_callback_info info) {
  return RunEncrypt(env, info, ASHERAH_HOT_ONLY);
}

napi_value Decrypt(napi_env env, napi_callback_info info) {
  return RunDecrypt(env, info, 0, ToDestinationOrBuffer);
}

napi_value DecryptHot(napi_env env, napi_callback_info info) {
  return RunDecrypt(env, info, ASHERAH_HOT_ONLY, ToDestinationOrBuffer);
}

napi_value DecryptString(napi_env env, napi_callback_info info) {
  return RunDecrypt(env, info, 0, ToStringIfAscii);
}

}  // namespace asherah
