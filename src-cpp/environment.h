// SPDX-License-Identifier: Apache-2.0
//
// What one JavaScript environment (the main thread, a worker thread) owns, and the way back to it from other threads.
//
// Everything here obeys one rule: another thread may touch an environment only under its mutex and only while it is not
// closed. A thread-safe function per call, released by whoever finishes last, crashes when a worker is terminated with
// calls in flight; one per environment, called under that mutex, does not.
#pragma once

#include <napi.h>
#include <stdint.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "bytes.h"

namespace asherah {

/** Something that came about on any thread and is told to JavaScript on its own. */
class Event {
 public:
  virtual ~Event() = default;
  /** On the environment's thread, with a handle scope open. */
  virtual void Deliver(Environment &environment) = 0;
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  /** Ties a new state to the environment's life. nullptr when that failed, with an exception pending where possible. */
  static Environment *Attach(napi_env env);
  ~Environment() = default;
  Environment(const Environment &) = delete;
  Environment &operator=(const Environment &) = delete;

  // ---- from any thread

  /** nullptr when the environment ended. */
  static std::shared_ptr<Environment> Find(uint64_t id);
  /** Delivers event soon; after the end of the environment, only deletes it. */
  void Post(std::unique_ptr<Event> event);
  /** The same, but does not keep the process alive for it. */
  void PostQuietly(std::unique_ptr<Event> event);

  // ---- from the environment's own thread

  napi_env env() const { return env_; }
  uint64_t id() const { return id_; }

  /** While asynchronous calls are under way the process stays alive. */
  void CallStarted();
  /** A number that no other call of this environment has had. */
  uint64_t NewCall() { return ++last_call_; }
  /** From Event::Deliver. */
  void CallEnded() { calls_under_way_--; }

  /** An event that came about during a native call must be told even when the program has nothing else to do. */
  void KeepAliveForEvents() {
    if (has_events_.load(std::memory_order_relaxed) && !keeps_alive_) KeepAlive(true);
  }

  /** A Buffer with memory of its own, never a part of Node's pool: `.buffer` would show other plaintexts there. nullptr
   * with an exception pending. */
  napi_value NewBuffer(const uint8_t *bytes, size_t size);

  /** What openFactory was given to call, by factory. */
  std::unordered_map<uint64_t, Napi::FunctionReference> on_warning;
  /** What openFactory was given to answer requests, by factory. */
  std::unordered_map<uint64_t, Napi::FunctionReference> on_request;
  /** What openListener was given to call, by listener. */
  std::unordered_map<uint64_t, Napi::FunctionReference> on_events;

  std::unique_ptr<Scratch> spare_scratch;

  /** What getStatic returned last, and of which factory; 0: nothing yet. */
  Napi::ObjectReference static_instance;
  uint64_t static_factory = 0;

  /** What wakes a synchronous call that serves requests while it waits (serving.cc). From any thread. */
  struct Serving {
    std::mutex mutex;
    std::condition_variable change;
    bool requested = false;  // under mutex; and whether each SyncJob is done
  };
  Serving serving;

 private:
  Environment(napi_env env, uint64_t id) : env_(env), id_(id) {}

  bool Start();
  void Close();
  /** Delivers what there is now; what comes in meanwhile is for `next`. */
  void Drain(napi_threadsafe_function next);
  void KeepAlive(bool alive);

  const napi_env env_;
  const uint64_t id_;
  napi_threadsafe_function wake_ = nullptr;
  napi_threadsafe_function wake_again_ = nullptr;
  Napi::FunctionReference allocate_buffer_;
  size_t calls_under_way_ = 0;
  uint64_t last_call_ = 0;
  bool keeps_alive_ = false;

  std::mutex mutex_;
  bool closed_ = false;  // under mutex_
  std::vector<std::unique_ptr<Event>> events_;  // under mutex_
  std::vector<std::unique_ptr<Event>> quiet_events_;  // under mutex_
  std::atomic<bool> has_events_{false};  // written under mutex_; not the quiet ones
};

}  // namespace asherah
