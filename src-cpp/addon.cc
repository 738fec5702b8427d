// SPDX-License-Identifier: Apache-2.0
//
// Start here: what the addon exports (interface Addon of lib/addon.ts), for every environment that loads it.
#include <napi.h>

#include <atomic>
#include <iterator>
#include <mutex>

#include "asherah.h"
#include "calls.h"
#include "environment.h"
#include "errors.h"
#include "signals.h"

namespace asherah {

namespace {
std::atomic<bool> engine_is_started{false};
}

bool EngineIsStarted() {
  return engine_is_started.load(std::memory_order_acquire);
}

const asherah_error *StartEngine() {
  PrepareThread();
  static std::once_flag once;
  static asherah_host host = {OnJobDone, OnWarning, OnWake, OnRequested, OnSyncDone};
  static asherah_error error;
  static bool failed;
  std::call_once(once, [] {
    failed = asherah_start(&host, &error) != 0;
    engine_is_started.store(true, std::memory_order_release);
  });
  return failed ? &error : nullptr;
}

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  AfterLoading();
  Environment *environment = Environment::Attach(env);
  if (environment == nullptr) return exports;
  // The engine is started by openFactory: until its runtime, on a thread of its own, is up, JavaScript has other things to do.

  napi_value version;
  if (napi_create_string_utf8(env, ASHERAH_VERSION, NAPI_AUTO_LENGTH, &version) != napi_ok) {
    ThrowNodeApiFailed(env, "napi_create_string_utf8");
    return exports;
  }
  auto function = [&](const char *name, napi_callback callback) {
    return napi_property_descriptor{name, nullptr, callback, nullptr, nullptr, nullptr, napi_enumerable, environment};
  };
  const napi_property_descriptor properties[] = {
      {"version", nullptr, nullptr, nullptr, nullptr, version, napi_enumerable, nullptr},
      function("openFactory", OpenFactory),
      function("closeFactory", CloseFactory),
      function("openSession", OpenSession),
      function("closeSession", CloseSession),
      function("encrypt", Encrypt),
      function("encryptHot", EncryptHot),
      function("encryptAsync", EncryptAsync),
      function("decrypt", Decrypt),
      function("decryptHot", DecryptHot),
      function("decryptAsync", DecryptAsync),
      function("decryptString", DecryptString),
      function("newCall", NewCall),
      function("cancelCall", CancelCall),
      function("answer", Answer),
      function("verify", Verify),
      function("createSchema", CreateSchema),
      function("setCredentials", SetCredentials),
      function("hasSqliteFile", HasSqliteFile),
      function("setStatic", SetStatic),
      function("getStatic", GetStatic),
      function("openListener", OpenListener),
      function("closeListener", CloseListener),
      function("watch", Watch),
      function("unwatch", Unwatch),
      function("takeEvents", TakeEvents),
      function("stats", Stats),
  };
  if (napi_define_properties(env, exports, std::size(properties), properties) != napi_ok) {
    ThrowNodeApiFailed(env, "napi_define_properties");
  }
  return exports;
}

}  // namespace
}  // namespace asherah

using asherah::Init;  // the macro takes a plain name only
NODE_API_MODULE(asherah, Init)
