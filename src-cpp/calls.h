// SPDX-License-Identifier: Apache-2.0
//
// The native functions of lib/addon.ts (interface Addon), and what they share.
#pragma once

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#include "environment.h"

namespace asherah {

/** Gives the engine its host table, once per process. The error of that, or nullptr. */
const asherah_error *StartEngine();
/** Whether it has been; any thread. */
bool EngineIsStarted();

// factories.cc
napi_value OpenFactory(napi_env env, napi_callback_info info);
napi_value CloseFactory(napi_env env, napi_callback_info info);
napi_value OpenSession(napi_env env, napi_callback_info info);
napi_value CloseSession(napi_env env, napi_callback_info info);
napi_value SetCredentials(napi_env env, napi_callback_info info);
napi_value HasSqliteFile(napi_env env, napi_callback_info info);
napi_value Stats(napi_env env, napi_callback_info info);

// static_instance.cc
napi_value SetStatic(napi_env env, napi_callback_info info);
napi_value GetStatic(napi_env env, napi_callback_info info);

// listeners.cc
napi_value OpenListener(napi_env env, napi_callback_info info);
napi_value CloseListener(napi_env env, napi_callback_info info);
napi_value Watch(napi_env env, napi_callback_info info);
napi_value Unwatch(napi_env env, napi_callback_info info);
napi_value TakeEvents(napi_env env, napi_callback_info info);

// sync_calls.cc
napi_value Encrypt(napi_env env, napi_callback_info info);
napi_value EncryptHot(napi_env env, napi_callback_info info);
napi_value Decrypt(napi_env env, napi_callback_info info);
napi_value DecryptHot(napi_env env, napi_callback_info info);
napi_value DecryptString(napi_env env, napi_callback_info info);

// async_calls.cc
napi_value EncryptAsync(napi_env env, napi_callback_info info);
napi_value DecryptAsync(napi_env env, napi_callback_info info);
napi_value Verify(napi_env env, napi_callback_info info);
napi_value CreateSchema(napi_env env, napi_callback_info info);
napi_value NewCall(napi_env env, napi_callback_info info);
napi_value CancelCall(napi_env env, napi_callback_info info);

// serving.cc
napi_value Answer(napi_env env, napi_callback_info info);

/** The functions of asherah_host. */
void OnJobDone(asherah_job *job);
void OnWarning(uint64_t env, uint64_t factory, char *code, char *message);
void OnWake(uint64_t env, uint64_t listener);
void OnRequested(uint64_t env);
void OnSyncDone(asherah_job *job);

/** One call from JavaScript. Missing arguments are `undefined`. */
template <size_t N>
class Call {
 public:
  Call(napi_env env, napi_callback_info info) {
    size_t count = N;
    void *data;
    if (napi_get_cb_info(env, info, &count, arguments_, nullptr, &data) == napi_ok) {
      environment_ = static_cast<Environment *>(data);
    }
  }
  ~Call() {
    if (environment_ != nullptr) environment_->KeepAliveForEvents();
  }
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;

  /** False when nothing can be done, not even throw. */
  explicit operator bool() const { return environment_ != nullptr; }
  napi_value operator[](size_t index) const { return arguments_[index]; }
  Environment &environment() const { return *environment_; }

 private:
  Environment *environment_ = nullptr;
  napi_value arguments_[N];
};

/** Handles are whole numbers that JavaScript can hold exactly, so that they cross as one double. */
constexpr double kMaxHandle = 9007199254740991;  // Number.MAX_SAFE_INTEGER

/** False with an exception pending; `expected` is its message. Whether the handle is a live one, the engine knows. */
bool ReadHandle(napi_env env, napi_value value, const char *expected, uint64_t *handle);

constexpr char kExpectedFactory[] = "factory: expected the number that openFactory returned.";
/** nullptr with an exception pending where there are too many. */
napi_value HandleToNumber(napi_env env, uint64_t handle);

/** Calls a function that JavaScript left with us, from an event. What it throws is an uncaught exception, as from any
 * listener. */
void CallBack(napi_env env, const Napi::FunctionReference &function, size_t count, const napi_value *arguments);

constexpr char kExpectedSession[] = "session: expected the number that openSession returned.";
constexpr char kExpectedData[] = "data: expected a string or Uint8Array.";
constexpr char kExpectedCall[] = "call: expected the number that newCall returned.";
constexpr char kExpectedRecord[] = "record: expected a string or Uint8Array.";

}  // namespace asherah
