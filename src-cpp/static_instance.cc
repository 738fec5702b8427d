// SPDX-License-Identifier: Apache-2.0
//
// The factory that the package's module-level functions use, in every thread.
#include "asherah.h"
#include "bytes.h"
#include "calls.h"
#include "errors.h"
#include "signals.h"

namespace asherah {
namespace {

/** { factory, settings } for JavaScript; nullptr with an exception pending. */
napi_value Describe(napi_env env, uint64_t factory, const uint8_t *settings, size_t size) {
  napi_value result, number, text;
  if (napi_create_object(env, &result) != napi_ok ||
      napi_create_double(env, static_cast<double>(factory), &number) != napi_ok ||
      napi_create_string_utf8(env, reinterpret_cast<const char *>(settings), size, &text) != napi_ok ||
      napi_set_named_property(env, result, "factory", number) != napi_ok ||
      napi_set_named_property(env, result, "settings", text) != napi_ok) {
    return ThrowNodeApiFailed(env, "describing the static instance");
  }
  return result;
}

/** The engine's operations have a session; this one has a factory, and no input. */
int64_t Settings(uint64_t factory, int32_t, uint8_t *, size_t, uint8_t *out, size_t out_cap, asherah_error *) {
  return asherah_static_settings(factory, out, out_cap);
}

napi_value Undefined(napi_env env) {
  napi_value undefined;
  return napi_get_undefined(env, &undefined) == napi_ok ? undefined : nullptr;
}

}  // namespace

napi_value SetStatic(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  uint64_t factory;
  if (!call || !ReadHandle(env, call[0], kExpectedFactory, &factory)) return nullptr;
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  Input settings(*scratch.get(), Secrecy::kPublic);
  if (!settings.ReadString(env, call[1], "settings: expected a string.")) return nullptr;
  asherah_error error;
  PrepareThread();
  int32_t result = asherah_static_set(factory, settings.data(), settings.size(), &error);
  if (result < 0) return Throw(env, error);
  napi_value done;
  if (napi_get_boolean(env, result != 0, &done) != napi_ok) return ThrowNodeApiFailed(env, "napi_get_boolean");
  return done;
}

napi_value GetStatic(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call) return nullptr;
  Environment &environment = call.environment();
  uint64_t factory = 0;
  if (EngineIsStarted()) {  // or there is no factory, and no reason to wait for Go's runtime
    PrepareThread();
    factory = asherah_static_factory();
  }
  if (factory == 0) return Undefined(env);
  // Made once per instance: a handle comes never twice, and its settings never change.
  if (environment.static_factory == factory) return environment.static_instance.Value();

  ScratchLease scratch(environment);
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  Input nothing(*scratch.get(), Secrecy::kPublic);
  Output settings(*scratch.get(), Secrecy::kPublic);
  asherah_error error;
  int64_t size = settings.Run(Settings, factory, 0, nothing, error);
  if (size == ASHERAH_FAILED) return Undefined(env);  // closed a moment ago
  napi_value result = Describe(env, factory, settings.data(), static_cast<size_t>(size));
  if (result == nullptr) return nullptr;
  Napi::ObjectReference kept = Napi::Persistent(Napi::Object(env, result));
  if (kept.IsEmpty()) return nullptr;
  environment.static_instance = std::move(kept);
  environment.static_factory = factory;
  return result;
}

}  // namespace asherah
