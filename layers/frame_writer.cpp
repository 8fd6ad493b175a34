#include "layers/frame_writer.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>

#include "layers/crc64.hpp"

namespace whittle::layers {

namespace {

// Room for what may be uncut beside a block's worth of frames, and for reading on.
constexpr std::size_t kUncutRoom = kFrameSize + (128 << 10);

struct Frame {
  std::size_t plain_end = 0;  // in the block
  std::size_t packed_size = 0;
  Digest digest;  // of a chunk
  std::uint64_t checksum = 0;
  FrameWriter::Kind kind = FrameWriter::Kind::headers;
};

struct Block {
  explicit Block(std::size_t capacity) : plain(capacity), packed(frame_bound(kFrameSize)) {}

  std::size_t cut_size() const { return frames.empty() ? 0 : frames.back().plain_end; }

  std::vector<std::byte> plain;
  std::size_t plain_size = 0;
  std::vector<Frame> frames;
  std::vector<std::byte> packed;
  std::size_t packed_size = 0;
  bool is_ready = false;
};

}  // namespace

struct FrameWriter::State {
  State(Sink& plain_sink, Sink& out_sink, int the_level, ThreadPool& the_pool, Cuts the_cuts,
        const FrameSource* known_frames)
      : plain(plain_sink),
        out(out_sink),
        level(the_level),
        pool(the_pool),
        known(known_frames),
        capacity(the_cuts == Cuts::by_size ? kFrameSize : kFrameSize + kUncutRoom),
        limit(the_pool.size() + 2) {}

  Sink& plain;
  Sink& out;
  const int level;
  ThreadPool& pool;
  const FrameSource* const known;
  const std::size_t capacity;
  const std::size_t limit;  // blocks in existence

  Block* current = nullptr;  // being filled, by the caller's thread alone

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<Block*> free;
  std::deque<Block*> order;  // submitted and not yet written
  std::vector<FrameCompressor> compressors;
  std::size_t running = 0;
  bool is_writing = false, is_closed = false;
  std::exception_ptr failure;

  std::vector<ChunkFrame> chunks;  // of what is written
  std::atomic<std::size_t> copied = 0;
  std::uint64_t written = 0;

  Block& take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return failure || !free.empty() || blocks.size() < limit; });
    if (failure) std::rethrow_exception(failure);
    if (free.empty()) {
      blocks.push_back(std::make_unique<Block>(capacity));
      free.push_back(blocks.back().get());
    }
    Block* const block = free.back();
    free.pop_back();
    block->plain_size = 0;
    block->frames.clear();
    block->is_ready = false;
    return *block;
  }

  // Everything in the block is cut.
  void submit() {
    Block& block = *std::exchange(current, nullptr);
    {
      const std::lock_guard lock(mutex);
      order.push_back(&block);
      ++running;
    }
    pool.submit([this, &block] { run(block); });
  }

  void cut(std::size_t size, Kind kind) {
    Block& block = *current;
    block.frames.push_back({.plain_end = block.cut_size() + size, .packed_size = 0, .digest = {}, .kind = kind});
    const std::size_t end = block.cut_size();
    if (end < kFrameSize) return;
    const std::size_t uncut = block.plain_size - end;
    Block* const next = uncut > 0 ? &take() : nullptr;
    if (next != nullptr) {
      std::copy_n(block.plain.begin() + static_cast<std::ptrdiff_t>(end), uncut, next->plain.begin());
      next->plain_size = uncut;
    }
    block.plain_size = end;
    submit();
    current = next;
  }

  // Memory that is not needed any more is given back at once: the next layer's may be needed already.
  void close() {
    if (current != nullptr && current->plain_size > 0) submit();
    const std::lock_guard lock(mutex);
    is_closed = true;
    for (const Block* const block : free) {
      std::erase_if(blocks, [&](const std::unique_ptr<Block>& owned) { return owned.get() == block; });
    }
    free.clear();
    if (running == 0) compressors.clear();
  }

  // One job of the pool: compresses, and then writes what is next in order unless another job is at it.
  void run(Block& block) noexcept {
    std::exception_ptr problem;
    try {
      compress(block);
    } catch (...) {
      problem = std::current_exception();
    }
    std::unique_lock lock(mutex);
    if (problem && !failure) failure = problem;
    block.is_ready = true;
    if (!is_writing) write_ready(lock);
    --running;
    if (is_closed && running == 0) compressors.clear();
    changed.notify_all();
  }

  void compress(Block& block) {
    FrameCompressor compressor = take_compressor();
    std::size_t begin = 0;
    block.packed_size = 0;
    for (Frame& frame : block.frames) {
      const Bytes plain_bytes = std::span(block.plain).subspan(begin, frame.plain_end - begin);
      const std::size_t bound = block.packed_size + frame_bound(plain_bytes.size());
      if (block.packed.size() < bound) block.packed.resize(bound);
      const std::span<std::byte> room = std::span(block.packed).subspan(block.packed_size);
      if (frame.kind == Kind::chunk) frame.digest = digest_of(plain_bytes);
      frame.packed_size = copy_known(frame, plain_bytes.size(), room);
      if (frame.packed_size == 0) frame.packed_size = compressor.compress(plain_bytes, room);
      if (frame.kind == Kind::chunk) frame.checksum = crc64_of(room.first(frame.packed_size));
      block.packed_size += frame.packed_size;
      begin = frame.plain_end;
    }
    const std::lock_guard lock(mutex);
    compressors.push_back(std::move(compressor));
  }

  std::size_t copy_known(const Frame& frame, std::size_t plain_size, std::span<std::byte> room) {
    if (known == nullptr || frame.kind != Kind::chunk) return 0;
    const std::size_t size = known->copy(frame.digest, plain_size, room);
    if (size > 0) ++copied;
    return size;
  }

  FrameCompressor take_compressor() {
    {
      const std::lock_guard lock(mutex);
      if (!compressors.empty()) {
        FrameCompressor compressor = std::move(compressors.back());
        compressors.pop_back();
        return compressor;
      }
    }
    return FrameCompressor(level);
  }

  void write_ready(std::unique_lock<std::mutex>& lock) {
    is_writing = true;
    while (!order.empty() && order.front()->is_ready) {
      Block* const block = order.front();
      if (!failure) {
        lock.unlock();
        std::exception_ptr problem;
        try {
          write(*block);
        } catch (...) {
          problem = std::current_exception();
        }
        lock.lock();
        if (problem && !failure) failure = problem;
      }
      order.pop_front();
      if (is_closed) {
        std::erase_if(blocks, [&](const std::unique_ptr<Block>& owned) { return owned.get() == block; });
      } else {
        free.push_back(block);
      }
      changed.notify_all();
    }
    is_writing = false;
  }

  // By one thread at a time.
  void write(const Block& block) {
    plain.write(std::span(block.plain).first(block.plain_size));
    out.write(std::span(block.packed).first(block.packed_size));
    std::size_t begin = 0;
    for (const Frame& frame : block.frames) {
      if (frame.kind == Kind::chunk) {
        chunks.push_back({.offset = written,
                          .packed_size = static_cast<std::uint32_t>(frame.packed_size),
                          .plain_size = static_cast<std::uint32_t>(frame.plain_end - begin),
                          .digest = frame.digest,
                          .checksum = frame.checksum});
      }
      written += frame.packed_size;
      begin = frame.plain_end;
    }
  }

  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return running == 0; });
  }
};

FrameWriter::FrameWriter(Sink& plain, Sink& out, int level, ThreadPool& pool, Cuts cuts, const FrameSource* known)
    : state_(std::make_unique<State>(plain, out, level, pool, cuts, known)) {}

FrameWriter::~FrameWriter() {
  state_->wait();
}

std::span<std::byte> FrameWriter::room() {
  if (state_->current == nullptr) state_->current = &state_->take();
  return std::span(state_->current->plain).subspan(state_->current->plain_size);
}

void FrameWriter::advance(std::size_t size) {
  state_->current->plain_size += size;
  const bool cuts_by_size = state_->capacity == kFrameSize;
  if (cuts_by_size && state_->current->plain_size == kFrameSize) cut(kFrameSize, Kind::headers);
}

Bytes FrameWriter::uncut() const {
  if (state_->current == nullptr) return {};
  const Block& block = *state_->current;
  return std::span(block.plain).first(block.plain_size).subspan(block.cut_size());
}

void FrameWriter::cut(std::size_t size, Kind kind) {
  state_->cut(size, kind);
}

const std::vector<ChunkFrame>& FrameWriter::chunks() const {
  return state_->chunks;
}

std::size_t FrameWriter::copied() const {
  return state_->copied;
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

void FrameWriter::close() {
  if (state_->is_closed) return;
  if (const Bytes rest = uncut(); !rest.empty()) state_->cut(rest.size(), Kind::headers);
  state_->close();
}

void FrameWriter::finish() {
  close();
  state_->wait();
  if (state_->failure) std::rethrow_exception(state_->failure);
}

}  // namespace whittle::layers
