// SPDX-License-Identifier: Apache-2.0
//
// Those in JavaScript who hear of the engine's events.
#include <utility>

#include "asherah.h"
#include "bytes.h"
#include "calls.h"
#include "errors.h"
#include "signals.h"

namespace asherah {
namespace {

constexpr char kExpectedListener[] = "listener: expected the number that openListener returned.";

class EventsToTake final : public Event {
 public:
  explicit EventsToTake(uint64_t listener) : listener_(listener) {}

  void Deliver(Environment &environment) override {
    auto found = environment.on_events.find(listener_);
    if (found != environment.on_events.end()) CallBack(environment.env(), found->second, 0, nullptr);
  }

 private:
  const uint64_t listener_;
};

bool ReadInt32(napi_env env, napi_value value, const char *expected, int32_t *number) {
  uint64_t read;
  if (!ReadHandle(env, value, expected, &read)) return false;
  if (read > INT32_MAX) {
    ThrowInvalidArgument(env, expected);
    return false;
  }
  *number = static_cast<int32_t>(read);
  return true;
}

int64_t Take(uint64_t listener, int32_t, uint8_t *, size_t, uint8_t *out, size_t out_cap, asherah_error *) {
  return asherah_listener_take(listener, out, out_cap);
}

}  // namespace

napi_value OpenListener(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call) return nullptr;
  if (const asherah_error *error = StartEngine()) return Throw(env, *error);
  napi_valuetype type;
  if (napi_typeof(env, call[0], &type) != napi_ok) return ThrowNodeApiFailed(env, "napi_typeof");
  if (type != napi_function) return ThrowInvalidArgument(env, "onEvents: expected a function.");
  Napi::FunctionReference on_events = Napi::Persistent(Napi::Function(env, call[0]));
  if (on_events.IsEmpty()) return nullptr;
  Environment &environment = call.environment();
  uint64_t listener = asherah_listener_open(environment.id());
  if (listener == 0) return ThrowNodeApiFailed(env, "opening a listener");
  napi_value number = HandleToNumber(env, listener);
  if (number == nullptr) {
    asherah_listener_close(listener);
    return nullptr;
  }
  environment.on_events[listener] = std::move(on_events);
  return number;
}

napi_value CloseListener(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  uint64_t listener;
  if (!call || !ReadHandle(env, call[0], kExpectedListener, &listener)) return nullptr;
  // Of another environment's it knows nothing.
  if (call.environment().on_events.erase(listener) == 0) return nullptr;
  PrepareThread();
  asherah_listener_close(listener);
  return nullptr;
}

napi_value Watch(napi_env env, napi_callback_info info) {
  Call<4> call(env, info);
  uint64_t listener, factory;
  int32_t level, flags;
  if (!call || !ReadHandle(env, call[0], kExpectedListener, &listener) ||
      !ReadHandle(env, call[1], kExpectedFactory, &factory) ||
      !ReadInt32(env, call[2], "level: expected a whole number, 0 or more.", &level) ||
      !ReadInt32(env, call[3], "flags: expected a whole number, 0 or more.", &flags)) {
    return nullptr;
  }
  if (call.environment().on_events.count(listener) == 0) return nullptr;
  asherah_error error;
  PrepareThread();
  if (asherah_listener_watch(listener, factory, level, flags, &error) != 0) return Throw(env, error);
  return nullptr;
}

napi_value Unwatch(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  uint64_t listener, factory;
  if (!call || !ReadHandle(env, call[0], kExpectedListener, &listener) ||
      !ReadHandle(env, call[1], kExpectedFactory, &factory)) {
    return nullptr;
  }
  if (call.environment().on_events.count(listener) == 0) return nullptr;
  PrepareThread();
  asherah_listener_unwatch(listener, factory);
  return nullptr;
}

napi_value TakeEvents(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  uint64_t listener;
  if (!call || !ReadHandle(env, call[0], kExpectedListener, &listener)) return nullptr;
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  Input nothing(*scratch.get(), Secrecy::kPublic);
  Output events(*scratch.get(), Secrecy::kPublic);
  int64_t size = 0;
  if (call.environment().on_events.count(listener) > 0) {
    asherah_error error;
    PrepareThread();
    size = events.Run(Take, listener, 0, nothing, error);
    if (size == ASHERAH_FAILED) return Throw(env, error);
  }
  napi_value json;
  if (napi_create_string_utf8(env, reinterpret_cast<const char *>(events.data()), static_cast<size_t>(size), &json) !=
      napi_ok) {
    return ThrowTooLarge(env, "the events", static_cast<unsigned long long>(size));
  }
  return json;
}

void OnWake(uint64_t env, uint64_t listener) {
  std::shared_ptr<Environment> environment = Environment::Find(env);
  if (environment) environment->PostQuietly(std::make_unique<EventsToTake>(listener));
}

}  // namespace asherah
