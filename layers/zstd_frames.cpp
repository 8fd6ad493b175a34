#include "layers/zstd_frames.hpp"

#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_c_useRowMatchFinder
#include <zstd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
using Context = std::unique_ptr<ZSTD_CCtx, FreeContext>;

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) == 0) return result;
  throw Error(Exit::bug, "cannot compress a layer").cause(ZSTD_getErrorName(result));
}

// Every parameter whose default could depend on the machine or change with a setting of the build.
// The row match finder is otherwise chosen by what the processor can do (zstd issue 4099).
Context make_context(int level) {
  Context context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    checked(ZSTD_CCtx_setParameter(context.get(), parameter, value));
  };
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_contentSizeFlag, 1);
  set(ZSTD_c_checksumFlag, 0);
  set(ZSTD_c_dictIDFlag, 0);
  set(ZSTD_c_nbWorkers, 0);
  set(ZSTD_c_enableLongDistanceMatching, ZSTD_ps_disable);
  set(ZSTD_c_useRowMatchFinder, ZSTD_ps_enable);
  return context;
}

struct Frame {
  std::vector<std::byte> plain = std::vector<std::byte>(kFrameSize);
  std::size_t plain_size = 0;
  std::vector<std::byte> packed = std::vector<std::byte>(ZSTD_COMPRESSBOUND(kFrameSize));
  std::size_t packed_size = 0;
  bool is_ready = false;
};

}  // namespace

struct FrameWriter::State {
  State(Sink& plain_sink, Sink& out_sink, int the_level, ThreadPool& the_pool)
      : plain(plain_sink), out(out_sink), level(the_level), pool(the_pool), limit(the_pool.size() + 2) {}

  Sink& plain;
  Sink& out;
  const int level;
  ThreadPool& pool;
  const std::size_t limit;  // frames in existence

  Frame* current = nullptr;  // being filled, by the caller's thread alone

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Frame>> frames;
  std::vector<Frame*> free;
  std::deque<Frame*> order;  // submitted and not yet written
  std::vector<Context> contexts;
  std::size_t running = 0;
  bool is_writing = false;
  std::exception_ptr failure;

  Frame& take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return failure || !free.empty() || frames.size() < limit; });
    if (failure) std::rethrow_exception(failure);
    if (free.empty()) {
      frames.push_back(std::make_unique<Frame>());
      free.push_back(frames.back().get());
    }
    Frame* const frame = free.back();
    free.pop_back();
    frame->plain_size = 0;
    frame->is_ready = false;
    return *frame;
  }

  void submit() {
    Frame& frame = *std::exchange(current, nullptr);
    plain.write(std::span(frame.plain).first(frame.plain_size));
    {
      const std::lock_guard lock(mutex);
      order.push_back(&frame);
      ++running;
    }
    pool.submit([this, &frame] { run(frame); });
  }

  // One job of the pool: compresses, and then writes what is next in order unless another job is at it.
  void run(Frame& frame) noexcept {
    std::exception_ptr problem;
    try {
      compress(frame);
    } catch (...) {
      problem = std::current_exception();
    }
    std::unique_lock lock(mutex);
    if (problem && !failure) failure = problem;
    frame.is_ready = true;
    if (!is_writing) write_ready(lock);
    --running;
    changed.notify_all();
  }

  void compress(Frame& frame) {
    Context context = take_context();
    frame.packed_size = checked(
        ZSTD_compress2(context.get(), frame.packed.data(), frame.packed.size(), frame.plain.data(), frame.plain_size));
    const std::lock_guard lock(mutex);
    contexts.push_back(std::move(context));
  }

  Context take_context() {
    {
      const std::lock_guard lock(mutex);
      if (!contexts.empty()) {
        Context context = std::move(contexts.back());
        contexts.pop_back();
        return context;
      }
    }
    return make_context(level);
  }

  void write_ready(std::unique_lock<std::mutex>& lock) {
    is_writing = true;
    while (!order.empty() && order.front()->is_ready) {
      Frame* const frame = order.front();
      if (!failure) {
        lock.unlock();
        std::exception_ptr problem;
        try {
          out.write(std::span(frame->packed).first(frame->packed_size));
        } catch (...) {
          problem = std::current_exception();
        }
        lock.lock();
        if (problem && !failure) failure = problem;
      }
      order.pop_front();
      free.push_back(frame);
      changed.notify_all();
    }
    is_writing = false;
  }

  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return running == 0; });
  }
};

FrameWriter::FrameWriter(Sink& plain, Sink& out, int level, ThreadPool& pool)
    : state_(std::make_unique<State>(plain, out, level, pool)) {}

FrameWriter::~FrameWriter() {
  state_->wait();
}

std::span<std::byte> FrameWriter::room() {
  if (state_->current == nullptr) state_->current = &state_->take();
  return std::span(state_->current->plain).subspan(state_->current->plain_size);
}

void FrameWriter::advance(std::size_t size) {
  state_->current->plain_size += size;
  if (state_->current->plain_size == kFrameSize) state_->submit();
}

void FrameWriter::write(Bytes bytes) {
  while (!bytes.empty()) {
    const std::span<std::byte> space = room();
    const std::size_t size = std::min(space.size(), bytes.size());
    std::copy_n(bytes.begin(), size, space.begin());
    advance(size);
    bytes = bytes.subspan(size);
  }
}

void FrameWriter::finish() {
  if (state_->current != nullptr && state_->current->plain_size > 0) state_->submit();
  state_->wait();
  if (state_->failure) std::rethrow_exception(state_->failure);
}

std::string frame_identity(int level) {
  return cat("zstd ", ZSTD_versionString(), " level ", level, " frames ", kFrameSize, " rows");
}

}  // namespace whittle::layers
