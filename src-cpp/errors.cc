// SPDX-License-Identifier: Apache-2.0
#include "errors.h"

#include <stdio.h>

namespace asherah {

napi_value NewError(napi_env env, const asherah_error &error) {
  napi_value code, message, result, text, cause;
  if (napi_create_string_utf8(env, error.code, NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_string_utf8(env, error.message, NAPI_AUTO_LENGTH, &message) != napi_ok ||
      napi_create_error(env, code, message, &result) != napi_ok) {
    return nullptr;
  }
  if (error.cause[0] != '\0' && napi_create_string_utf8(env, error.cause, NAPI_AUTO_LENGTH, &text) == napi_ok &&
      napi_create_error(env, nullptr, text, &cause) == napi_ok) {
    (void)napi_set_named_property(env, result, "cause", cause);
  }
  napi_value thrown;
  if (error.thrown != 0 && napi_create_double(env, static_cast<double>(error.thrown), &thrown) == napi_ok) {
    (void)napi_set_named_property(env, result, "thrown", thrown);
  }
  return result;
}

napi_value Throw(napi_env env, const asherah_error &error) {
  napi_value thrown = NewError(env, error);
  if (thrown != nullptr) (void)napi_throw(env, thrown);
  return nullptr;
}

napi_value ThrowInvalidArgument(napi_env env, const char *message) {
  (void)napi_throw_type_error(env, "ERR_ASHERAH_INVALID_ARGUMENT", message);
  return nullptr;
}

napi_value ThrowNodeApiFailed(napi_env env, const char *what) {
  asherah_error error;
  error.cause[0] = '\0';
  error.thrown = 0;
  (void)snprintf(error.code, sizeof error.code, "ERR_ASHERAH_INTERNAL");
  (void)snprintf(error.message, sizeof error.message,
                 "%s failed in the JavaScript engine. The process may be out of memory.", what);
  return Throw(env, error);
}

void FillTooLarge(asherah_error &error, const char *what, unsigned long long bytes) {
  error.cause[0] = '\0';
  error.thrown = 0;
  (void)snprintf(error.code, sizeof error.code, "ERR_ASHERAH_TOO_LARGE");
  (void)snprintf(error.message, sizeof error.message,
                 "%s: %llu bytes did not fit into memory. Encrypt large data in parts.", what, bytes);
}

napi_value ThrowTooLarge(napi_env env, const char *what, unsigned long long bytes) {
  asherah_error error;
  FillTooLarge(error, what, bytes);
  return Throw(env, error);
}

napi_value TakeException(napi_env env) {
  bool pending = false;
  napi_value exception;
  if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return nullptr;
  return napi_get_and_clear_last_exception(env, &exception) == napi_ok ? exception : nullptr;
}

}  // namespace asherah
