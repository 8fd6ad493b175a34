#include "bundle/differences.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

namespace whittle::bundle {

namespace {

// Probabilities are of a one, in 1/65536. Predictions are mixed in the logistic domain, where `stretch` is
// ln(p / (1 − p)) in 1/256 and `squash` its inverse (Mahoney, "Adaptive Weighing of Context Models", 2005).
constexpr int kStretchLimit = 2815;  // 11.0: 1.7e-5
constexpr int kFineLimit = 2047;     // of a single prediction

struct Curves {
  std::array<std::uint16_t, 2 * kStretchLimit + 1> squash{};
  std::array<std::int16_t, 4096> stretch{};  // of p / 16
};

constexpr Curves make_curves() {
  Curves curves;
  constexpr std::uint64_t kOne = 1ULL << 31;
  constexpr std::uint64_t kStep = 2'139'111'402;  // e^(-1/256) × 2^31
  std::uint64_t power = kOne;                     // e^(-distance / 256)
  constexpr std::size_t kMiddle = kStretchLimit;
  for (std::size_t distance = 0; distance <= kMiddle; ++distance) {
    const std::uint64_t low = (65536 * power) / (kOne + power);
    const std::uint64_t bounded = low < 1 ? 1 : low;
    curves.squash[kMiddle - distance] = static_cast<std::uint16_t>(bounded);
    curves.squash[kMiddle + distance] = static_cast<std::uint16_t>(65536 - bounded);
    power = power * kStep >> 31;
  }
  std::size_t next = 0;
  for (int value = -kFineLimit; value <= kFineLimit; ++value) {
    const int place = kStretchLimit + value;
    const std::size_t end = curves.squash[static_cast<std::size_t>(place)] / 16;
    while (next <= end && next < 4096) curves.stretch[next++] = static_cast<std::int16_t>(value);
  }
  while (next < 4096) curves.stretch[next++] = kFineLimit;
  return curves;
}

const Curves kCurves = make_curves();

int squash(int value) {
  const int place = std::clamp(value, -kStretchLimit, kStretchLimit) + kStretchLimit;
  return kCurves.squash[static_cast<std::size_t>(place)];
}

// How a bit turned out in one context: quick to learn at first, slow later.
struct Slot {
  std::uint16_t one = 32768;
  std::uint16_t seen = 0;

  static constexpr std::uint16_t kSlowest = 250;
  void learn(bool bit) {
    const int step = static_cast<int>(131072U / (2U * seen + 3U));
    const int target = bit ? 65535 : 0;
    one = static_cast<std::uint16_t>(one + ((target - one) * (step >> 1) >> 15));
    if (seen < kSlowest) ++seen;
  }
};

constexpr std::uint32_t hash_of(std::uint32_t value, std::uint32_t salt) {
  value = (value + salt * 0x9E3779B9U) * 2654435761U;
  value ^= value >> 15;
  return value * 2246822519U;
}

// Mixes what kInputs contexts predict of a bit; the weights, of which there are several sets, learn too.
template <std::size_t kInputs, std::size_t kSets>
class Mixer {
 public:
  static constexpr int kTableLog = 16;
  using Contexts = std::array<std::uint32_t, kInputs>;

  Mixer() {
    for (auto& table : tables_) table.resize(1U << kTableLog);
    for (auto& set : weights_) set.fill((1 << 16) * 2 / 5);
  }

  int predict(const Contexts& contexts, std::size_t set) {
    set_ = &weights_[set];
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < kInputs; ++i) {
      slots_[i] = &tables_[i][hash_of(contexts[i], static_cast<std::uint32_t>(i)) >> (32 - kTableLog)];
      stretched_[i] = kCurves.stretch[slots_[i]->one / 16];
      sum += std::int64_t{stretched_[i]} * (*set_)[i];
    }
    one_ = squash(static_cast<int>(std::clamp<std::int64_t>(sum >> 16, -kStretchLimit, kStretchLimit)));
    return one_;
  }

  void learn(bool bit) {
    const int error = ((bit ? 65536 : 0) - one_) * 10 / 16;
    for (std::size_t i = 0; i < kInputs; ++i) {
      const std::int64_t change = (std::int64_t{stretched_[i]} * error + 0x2000) >> 14;
      int& weight = (*set_)[i];
      weight = static_cast<int>(std::clamp<std::int64_t>(weight + change, -(1 << 21), 1 << 21));
      slots_[i]->learn(bit);
    }
  }

 private:
  std::array<std::vector<Slot>, kInputs> tables_;
  std::array<std::array<int, kInputs>, kSets> weights_;
  std::array<int, kInputs>* set_ = nullptr;
  std::array<Slot*, kInputs> slots_{};
  std::array<int, kInputs> stretched_{};
  int one_ = 32768;
};

// `Coder::code(bit, one)` writes the bit, or ignores it and gives the one that was written.
template <class Coder>
class Model {
 public:
  explicit Model(Coder& coder) : coder_(coder), recent_(16) {}

  // Its length in bits, then the bits below the highest one.
  std::uint64_t number(DeltaNumber kind, std::uint64_t value) {
    Numbers& slots = numbers_[static_cast<std::size_t>(kind)];
    std::size_t length = static_cast<std::size_t>(std::bit_width(value)), node = 1;
    for (int i = 6; i >= 0; --i)
      node = 2 * node + static_cast<std::size_t>(plain(slots.lengths[node], length >> i & 1));
    length = std::min<std::size_t>(node - 128, 64);
    if (length == 0) return 0;
    std::uint64_t result = 1;
    for (std::size_t i = length - 1; i-- > 0;) {
      Slot even;
      const bool is_high = i + 3 >= length;
      result = 2 * result + plain(is_high ? slots.high[4 * length + result % 4] : even, value >> i & 1);
    }
    return result;
  }

  std::byte difference(const std::byte* old, std::uint64_t position, std::byte fresh) {
    const auto at = [&](int offset) { return std::to_integer<std::uint32_t>(old[offset]); };
    const std::uint32_t word = at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24;
    // Where it would lead if it were a displacement from here, and that alone.
    const std::uint32_t place = static_cast<std::uint32_t>(position) + word;
    const std::uint32_t age = std::min<std::uint32_t>(count_ - last_, 0xFFFF);
    const std::uint32_t coarse_age = age < 32 ? age : 32 + 2 * static_cast<std::uint32_t>(std::bit_width(age));
    const std::uint32_t before = recent(1), fourth = recent(4), eighth = recent(8);

    const auto value = static_cast<std::uint8_t>(std::to_integer<unsigned>(fresh) - at(0));
    const std::array<std::uint32_t, 9> contexts = {
        flags_ & 0xFFFF,
        at(-1) | at(0) << 8 | (flags_ & 7) << 16,
        coarse_age | last_value_ << 8 | (flags_ & 1) << 16,
        (at(-1) | at(-2) << 8 | at(-3) << 16) * 4 + (flags_ & 3),
        fourth | eighth << 8 | (flags_ & 7) << 16 | before << 20,
        word * 31 + (flags_ & 7),
        (place >> 2) * 2 + (flags_ & 1),
        (place >> 8) * 8 + (flags_ & 7),
        (word >> 6) * 8 + (flags_ & 7),
    };
    const std::size_t set =
        std::min<std::uint32_t>(age, 15) + ((flags_ & 0xFF) != 0 ? 16 : 0) + (fourth != 0 || eighth != 0 ? 16 : 0);
    std::uint32_t result = 0;
    if (mixed(is_changed_, contexts, set, value != 0)) {
      std::uint32_t node = 1;
      for (int i = 7; i >= 0; --i) {
        const std::array<std::uint32_t, 7> value_contexts = {
            node | last_value_ << 8,
            node | last_value_ << 8 | before << 16,
            node | fourth << 8 | eighth << 16,
            (node | at(0) << 8 | last_value_ << 16) * 16 + std::min<std::uint32_t>(age, 15),
            node | before << 8 | recent(2) << 16 | recent(3) << 24,
            (place >> 2) * 256 + node,
            (place >> 8) * 256 + node,
        };
        node = 2 * node + mixed(values_, value_contexts, static_cast<std::size_t>(i), value >> i & 1);
      }
      result = node & 0xFF;
      last_value_ = result;
      last_ = count_;
    }
    flags_ = flags_ << 1 | (result != 0 ? 1 : 0);
    recent_[count_++ % 16] = static_cast<std::uint8_t>(result);
    return static_cast<std::byte>(result + at(0));
  }

 private:
  struct Numbers {
    std::array<Slot, 128> lengths;
    std::array<Slot, 4 * 66> high;
  };

  std::uint32_t recent(std::uint32_t distance) const { return recent_[(count_ - distance) % 16]; }

  std::uint32_t plain(Slot& slot, bool bit) {
    bit = coder_.code(bit, std::clamp<int>(slot.one, 64, 65536 - 64));
    slot.learn(bit);
    return bit ? 1 : 0;
  }
  template <class Mixing, class Contexts>
  std::uint32_t mixed(Mixing& mixer, const Contexts& contexts, std::size_t set, bool bit) {
    bit = coder_.code(bit, mixer.predict(contexts, set));
    mixer.learn(bit);
    return bit ? 1 : 0;
  }

  Coder& coder_;
  std::array<Numbers, kDeltaNumbers> numbers_;
  Mixer<9, 48> is_changed_;
  Mixer<7, 8> values_;
  std::vector<std::uint8_t> recent_;  // differences
  std::uint32_t count_ = 16, last_ = 0, last_value_ = 0;
  std::uint32_t flags_ = 0;  // which of the last ones were none
};

// An interval of 32 bits that each bit narrows; bytes that both ends share are done.
struct Interval {
  std::uint32_t low = 0, high = 0xFFFFFFFF;

  std::uint32_t middle(int one) const {
    const std::uint32_t range = high - low;
    const auto share = static_cast<std::uint32_t>(one);
    return low + (range >> 16) * share + ((range & 0xFFFF) * share >> 16);
  }
  void narrow(bool bit, std::uint32_t middle) {
    if (bit) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  bool has_byte() const { return ((low ^ high) & 0xFF000000) == 0; }
  void shift() {
    low <<= 8;
    high = high << 8 | 0xFF;
  }
};

constexpr std::size_t kBuffer = 16 << 10;

struct BitWriter {
  explicit BitWriter(Sink& the_out) : out(the_out) {}

  bool code(bool bit, int one) {
    interval.narrow(bit, interval.middle(one));
    while (interval.has_byte()) {
      put(interval.high >> 24);
      interval.shift();
    }
    return bit;
  }
  // As many bytes as tell a number of the interval from all others, zeros following.
  void finish() {
    if (interval.low > 0) put((interval.low >> 24) + 1);
    out.write(buffer);
    buffer.clear();
  }
  void put(std::uint32_t byte) {
    buffer.push_back(static_cast<std::byte>(byte));
    if (buffer.size() < kBuffer) return;
    out.write(buffer);
    buffer.clear();
  }

  Sink& out;
  Interval interval;
  std::vector<std::byte> buffer;
};

struct BitReader {
  explicit BitReader(Source& the_in) : in(the_in), buffer(kBuffer) {
    for (int i = 0; i < 4; ++i) value = value << 8 | get();
  }

  bool code(bool /*bit*/, int one) {
    const std::uint32_t middle = interval.middle(one);
    const bool bit = value <= middle;
    interval.narrow(bit, middle);
    while (interval.has_byte()) {
      interval.shift();
      value = value << 8 | get();
    }
    return bit;
  }
  std::uint32_t get() {
    if (begin == end && !is_over) {
      begin = 0;
      end = in.read(buffer);
      is_over = end == 0;
    }
    return is_over ? 0 : std::to_integer<std::uint32_t>(buffer[begin++]);
  }

  Source& in;
  Interval interval;
  std::uint32_t value = 0;
  std::vector<std::byte> buffer;
  std::size_t begin = 0, end = 0;
  bool is_over = false;
};

}  // namespace

struct DifferenceEncoder::State {
  explicit State(Sink& out) : bits(out), model(bits) {}
  BitWriter bits;
  Model<BitWriter> model;
};

DifferenceEncoder::DifferenceEncoder(Sink& out) : state_(std::make_unique<State>(out)) {}
DifferenceEncoder::~DifferenceEncoder() = default;

void DifferenceEncoder::number(DeltaNumber kind, std::uint64_t value) {
  state_->model.number(kind, value);
}

void DifferenceEncoder::differences(Bytes old, std::uint64_t position, Bytes fresh) {
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    state_->model.difference(old.data() + kOldBefore + i, position + i, fresh[i]);
  }
}

void DifferenceEncoder::finish() {
  state_->bits.finish();
}

struct DifferenceDecoder::State {
  explicit State(Source& in) : bits(in), model(bits) {}
  BitReader bits;
  Model<BitReader> model;
};

DifferenceDecoder::DifferenceDecoder(Source& in) : state_(std::make_unique<State>(in)) {}
DifferenceDecoder::~DifferenceDecoder() = default;

std::uint64_t DifferenceDecoder::number(DeltaNumber kind) {
  return state_->model.number(kind, 0);
}

void DifferenceDecoder::differences(Bytes old, std::uint64_t position, std::span<std::byte> fresh) {
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    fresh[i] = state_->model.difference(old.data() + kOldBefore + i, position + i, {});
  }
}

}  // namespace whittle::bundle
