// Parallelism by data: the same function over a list, results in input order.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace whittle {

// A fixed number of threads that run submitted jobs in order of submission.
class ThreadPool {
 public:
  explicit ThreadPool(std::size_t threads);  // 0: one per processor
  ~ThreadPool();                             // runs what was submitted, then joins
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t size() const { return threads_.size(); }
  // A job must not throw, and must not wait for another job of the same pool.
  void submit(std::function<void()> job);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

// Calls fn(item) for every item on the pool and returns the results in input order. When one fails,
// those that have not started are skipped; every started one has ended before the error of the
// lowest index is rethrown, since workers hold references into the caller's frame.
template <class Items, class Function>
auto parallel_map(ThreadPool& pool, const Items& items, Function&& fn) {
  using Item = typename Items::value_type;
  using Result = std::invoke_result_t<Function&, const Item&>;
  struct Slot {
    std::optional<Result> result;
    std::exception_ptr error;
  };
  std::vector<Slot> slots(items.size());
  std::mutex mutex;
  std::condition_variable done;
  std::size_t pending = items.size();
  bool failed = false;

  std::size_t index = 0;
  for (const Item& item : items) {
    Slot& slot = slots[index++];
    pool.submit([&] {
      bool skip = false;
      {
        const std::lock_guard lock(mutex);
        skip = failed;
      }
      if (!skip) {
        try {
          slot.result.emplace(fn(item));
        } catch (...) {
          slot.error = std::current_exception();
        }
      }
      const std::lock_guard lock(mutex);
      failed = failed || slot.error != nullptr;
      if (--pending == 0) done.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return pending == 0; });
  }
  std::vector<Result> results;
  results.reserve(slots.size());
  for (Slot& slot : slots) {
    if (slot.error) std::rethrow_exception(slot.error);
  }
  for (Slot& slot : slots) results.push_back(std::move(*slot.result));
  return results;
}

}  // namespace whittle
