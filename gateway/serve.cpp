#include "gateway/serve.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "gateway/serve_connection.hpp"
#include "gateway/serve_prefetch.hpp"

namespace whittle::gateway {

namespace {

using Clock = Connection::Clock;

constexpr std::uint32_t kListenerTag = 0xffff'fffe, kWakeTag = 0xffff'ffff;
constexpr int kTick = 500;                  // milliseconds between looks at the clients' deadlines
constexpr int kHungryTick = 20;             // …while one waits for what comes from upstream
constexpr std::size_t kScratch = 16 << 10;  // what one record of TLS holds

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress old_address(const std::string& host, std::uint16_t port) {
  SocketAddress address;
  auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  address.size = host.empty() || ::inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1 ? sizeof(in) : 0;
  return address;
}

SocketAddress new_address(const std::string& host, std::uint16_t port) {
  SocketAddress address;
  auto& in = reinterpret_cast<sockaddr_in6&>(address.storage);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  address.size = host.empty() || ::inet_pton(AF_INET6, host.c_str(), &in.sin6_addr) == 1 ? sizeof(in) : 0;
  return address;
}

// Errno tells why when it is none.
server::Descriptor listen_at(const SocketAddress& address, bool on_both) {
  const int family = address.storage.ss_family;
  server::Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return socket;
  const int one = 1, only_new = on_both ? 0 : 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_new, sizeof(only_new));
  const auto* where = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::bind(socket.get(), where, address.size) != 0 || ::listen(socket.get(), 512) != 0) {
    const int reason = errno;
    socket.close();
    errno = reason;
  }
  return socket;
}

server::Descriptor listen(const ListenAddress& listen) {
  const bool is_new = listen.host.empty() || listen.host.find(':') != std::string::npos;
  server::Descriptor socket;
  if (is_new) socket = listen_at(new_address(listen.host, listen.port), listen.host.empty());
  const bool has_no_such_family = !socket && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
  if (!is_new || (listen.host.empty() && has_no_such_family)) {
    socket = listen_at(old_address(listen.host, listen.port), false);
  }
  if (socket) return socket;
  const bool may_pass = errno == EADDRINUSE || errno == EADDRNOTAVAIL;
  const std::string host = listen.host.find(':') == std::string::npos ? listen.host : cat("[", listen.host, "]");
  throw system_error(may_pass ? Exit::transient : Exit::refused,
                     cat("cannot listen on ", backticked(cat(host, ":", listen.port))));
}

std::uint16_t port_of(int socket) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) return 0;
  const bool is_new = address.storage.ss_family == AF_INET6;
  return ntohs(is_new ? reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port
                      : reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
}

// One thread with its share of the clients.
class Worker {
 public:
  Worker(int listener, const TlsContext* tls, const ServeLimits& limits, std::size_t most, Shelf& shelf,
         Fetches* fetches, ServeMetrics& metrics)
      : listener_(listener),
        tls_(tls),
        limits_(limits),
        metrics_(metrics),
        answers_(shelf, fetches, metrics),
        scratch_(kScratch),
        room_{.answers = answers_, .limits = limits, .scratch = scratch_, .now = Clock::now()},
        slots_(most),
        events_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    for (std::size_t i = most; i > 0; --i) free_.push_back(static_cast<std::uint32_t>(i - 1));
    if (!events_ || !wake_ || !watch(listener_, kListenerTag, EPOLLIN | EPOLLEXCLUSIVE) ||
        !watch(wake_.get(), kWakeTag, EPOLLIN)) {
      throw system_error(Exit::refused, "cannot watch for clients");
    }
  }

  // From any thread.
  void wake() {
    const std::uint64_t one = 1;
    // Full means that it is awake already.
    [[maybe_unused]] const ssize_t ignored = ::write(wake_.get(), &one, sizeof(one));
  }
  void end() {
    is_to_end_ = true;
    wake();
  }

  void run();

 private:
  struct Slot {
    std::unique_ptr<Connection> connection;
    std::uint32_t interest = 0;
    bool is_hungry = false;
  };

  bool watch(int descriptor, std::uint32_t tag, std::uint32_t events);
  void take_clients();
  void take(server::Descriptor socket);
  bool make_room();
  void step(std::uint32_t index);
  void settle(std::uint32_t index, Connection::Wants wants);
  void close(std::uint32_t index);
  void end_the_late();
  void feed_the_hungry();
  void begin_ending();
  void pause_listening(bool pauses);
  void handle(const epoll_event& event);

  int listener_;
  const TlsContext* tls_;
  const ServeLimits& limits_;
  ServeMetrics& metrics_;
  Answers answers_;
  std::vector<char> scratch_;
  Connection::Room room_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  server::Descriptor events_, wake_;
  std::size_t hungry_ = 0;
  bool is_paused_ = false;
  std::atomic<bool> is_to_end_ = false;
  Clock::time_point end_at_;
};

bool Worker::watch(int descriptor, std::uint32_t tag, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = tag;
  return ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

// A listener that is watched for exclusively cannot be changed, only taken away and given back.
void Worker::pause_listening(bool pauses) {
  if (pauses == is_paused_ || room_.is_ending) return;
  is_paused_ = pauses;
  if (pauses) {
    ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, listener_, nullptr);
  } else {
    watch(listener_, kListenerTag, EPOLLIN | EPOLLEXCLUSIVE);
  }
}

// Who has nothing to say makes room for who has. Who came a moment ago is about to say something.
bool Worker::make_room() {
  const Slot* oldest = nullptr;
  for (const Slot& slot : slots_) {
    if (!slot.connection || !slot.connection->can_be_let_go(room_.now)) continue;
    const bool is_older = oldest == nullptr || slot.connection->idle_since() < oldest->connection->idle_since();
    if (is_older) oldest = &slot;
  }
  if (oldest == nullptr) return false;
  close(static_cast<std::uint32_t>(oldest - slots_.data()));
  return true;
}

void Worker::take_clients() {
  for (int taken = 0; taken < 64; ++taken) {
    if (free_.empty() && !make_room()) return pause_listening(true);
    server::Descriptor socket(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      const bool is_exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (is_exhausted) pause_listening(true);
      return;
    }
    take(std::move(socket));
  }
}

void Worker::take(server::Descriptor socket) {
  const int one = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  const int number = socket.get();
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  ++metrics_.connections;
  ++metrics_.connections_taken;
  try {
    slot.connection = std::make_unique<Connection>(Stream(std::move(socket), tls_), room_);
  } catch (const std::exception&) {
    ++metrics_.broken;
  }
  slot.interest = EPOLLIN;
  if (!slot.connection || !watch(number, index, EPOLLIN)) return close(index);
  step(index);  // the request has often come with the connection
}

void Worker::close(std::uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.is_hungry) --hungry_;
  slot = {};
  free_.push_back(index);
  --metrics_.connections;
  pause_listening(false);
}

void Worker::settle(std::uint32_t index, Connection::Wants wants) {
  if (wants == Connection::Wants::end) return close(index);
  Slot& slot = slots_[index];
  const bool is_hungry = wants == Connection::Wants::nothing;
  if (is_hungry != slot.is_hungry) {
    slot.is_hungry = is_hungry;
    is_hungry ? ++hungry_ : --hungry_;
  }
  std::uint32_t events = EPOLLIN;
  if (wants == Connection::Wants::output) events = EPOLLOUT;
  if (is_hungry) events = EPOLLRDHUP;
  if (events == slot.interest) return;
  slot.interest = events;
  epoll_event event{};
  event.events = events;
  event.data.u32 = index;
  if (::epoll_ctl(events_.get(), EPOLL_CTL_MOD, slot.connection->socket(), &event) != 0) close(index);
}

// What goes wrong with one client is its own end, not everybody's.
void Worker::step(std::uint32_t index) {
  Connection::Wants wants = Connection::Wants::end;
  try {
    wants = slots_[index].connection->advance(room_);
  } catch (const std::exception&) {
    ++metrics_.broken;
  }
  settle(index, wants);
}

void Worker::end_the_late() {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].connection || slots_[i].connection->deadline() > room_.now) continue;
    if (!slots_[i].connection->is_idle()) ++metrics_.dropped;
    settle(i, slots_[i].connection->time_out(room_));
  }
  pause_listening(false);
}

void Worker::feed_the_hungry() {
  for (std::uint32_t i = 0; hungry_ > 0 && i < slots_.size(); ++i) {
    if (slots_[i].is_hungry) step(i);
  }
}

// Clients that are waiting to be taken are answered too: they came before the end.
void Worker::begin_ending() {
  if (room_.is_ending) return;
  take_clients();
  if (!is_paused_) ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, listener_, nullptr);
  ::shutdown(listener_, SHUT_RDWR);
  room_.is_ending = true;
  end_at_ = room_.now + limits_.grace;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection && slots_[i].connection->let_go()) close(i);
  }
}

void Worker::handle(const epoll_event& event) {
  if (event.data.u32 == kWakeTag) {
    std::uint64_t ignored = 0;
    while (::read(wake_.get(), &ignored, sizeof(ignored)) > 0) continue;
    return;
  }
  if (event.data.u32 == kListenerTag) return take_clients();
  const std::uint32_t index = event.data.u32;
  if (!slots_[index].connection) return;
  const bool is_gone = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (slots_[index].is_hungry && is_gone) return close(index);
  step(index);
}

void Worker::run() {
  sigset_t broken_pipe;
  ::sigemptyset(&broken_pipe);
  ::sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  auto next_tick = Clock::now();
  for (;;) {
    const bool is_quiet = free_.size() == slots_.size() && !is_paused_ && !room_.is_ending;
    std::array<epoll_event, 64> happened{};
    const int tick = hungry_ > 0 || room_.is_ending ? kHungryTick : kTick;
    const int count = ::epoll_wait(events_.get(), happened.data(), happened.size(), is_quiet ? -1 : tick);
    room_.now = Clock::now();
    for (int i = 0; i < count; ++i) handle(happened[static_cast<std::size_t>(i)]);
    if (is_to_end_) begin_ending();
    feed_the_hungry();
    if (room_.is_ending && (free_.size() == slots_.size() || room_.now >= end_at_)) return;
    if (room_.now < next_tick) continue;
    next_tick = room_.now + std::chrono::milliseconds(tick);
    end_the_late();
  }
}

std::size_t thread_count(const ServeLimits& limits) {
  if (limits.threads > 0) return limits.threads;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
}

}  // namespace

ListenAddress ListenAddress::parse(std::string_view text) {
  const auto refuse = [&] {
    Error error(Exit::usage, cat(backticked(text), " is no address to listen on"));
    error.hint("write an address of this machine and a port, as in `127.0.0.1:5000`, `[::1]:5000` or `:5000`");
    return error;
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) throw refuse();
  const auto port = parse_number(text.substr(colon + 1));
  if (!port || *port > 65'535) throw refuse();
  ListenAddress address{.host = std::string(text.substr(0, colon)), .port = static_cast<std::uint16_t>(*port)};
  if (address.host == "localhost") address.host = "127.0.0.1";
  const bool is_bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (is_bracketed) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty() && !is_bracketed) return address;
  const SocketAddress socket = is_bracketed ? new_address(address.host, 0) : old_address(address.host, 0);
  if (socket.size == 0 || address.host.empty()) throw refuse();
  return address;
}

void serve(const ServeOptions& options, EventSink& events, std::stop_token stop,
           const std::function<void(std::uint16_t port)>& started) {
  std::optional<TlsContext> tls;
  if (options.tls) tls.emplace(*options.tls);
  const oci::Layout store(options.store, oci::Layout::Open::existing, events);
  std::optional<oci::Layout> cache;
  if (options.upstream != nullptr) cache.emplace(options.cache, oci::Layout::Open::create, events);
  ServeMetrics metrics;
  Shelf shelf(store, cache ? &*cache : nullptr, metrics, events);
  const server::Descriptor listener = listen(options.listen);

  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<Prefetch> prefetch;
  std::unique_ptr<Fetches> fetches;
  const auto wake_all = [&] {
    for (const auto& worker : workers) worker->wake();
    if (prefetch) prefetch->notice();
  };
  if (cache) {
    fetches =
        std::make_unique<Fetches>(*options.upstream, *cache, options.limits.fetches, metrics, events, stop, wake_all);
    prefetch = std::make_unique<Prefetch>(shelf, *fetches, metrics, events, stop);
  }
  const std::size_t count = std::min<std::size_t>(thread_count(options.limits), options.limits.connections);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t share = (options.limits.connections + count - 1) / count;
    workers.push_back(std::make_unique<Worker>(listener.get(), tls ? &*tls : nullptr, options.limits, share, shelf,
                                               fetches.get(), metrics));
  }
  if (started) started(port_of(listener.get()));
  {
    std::vector<std::jthread> threads;
    for (const auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
    if (prefetch) threads.emplace_back([&] { prefetch->run(options.prefetch); });
    const std::stop_callback ending(stop, [&] {
      for (const auto& worker : workers) worker->end();
      if (prefetch) prefetch->notice();
    });
    threads.clear();  // waits for their ends
  }
  fetches.reset();  // and for what they had begun, while `workers` can still be woken
}

}  // namespace whittle::gateway
