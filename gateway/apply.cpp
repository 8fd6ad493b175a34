#include "gateway/apply.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <set>

#include "base/deadline.hpp"
#include "base/text.hpp"
#include "bundle/document.hpp"
#include "gateway/audit.hpp"
#include "gateway/blob_sources.hpp"
#include "gateway/staging.hpp"
#include "gateway/upkeep.hpp"
#include "oci/layout.hpp"

namespace whittle::gateway {

namespace {

constexpr std::size_t kNamed = 5;  // of many things, how many an error lists
constexpr std::uint64_t kBookkeeping = 64
                                       << 10;  // journal, generation, index, audit: while both versions of each exist
constexpr std::size_t kHealthLines = 6;

Error refused(std::string what) {
  Error error(Exit::refused, std::move(what));
  error.note("nothing was changed");
  return error;
}

// arm variants run on what comes after them.
bool runs_on(const oci::Platform& image, const oci::Platform& machine) {
  if (image.os != machine.os || image.architecture != machine.architecture) return false;
  return image.variant.empty() || image.variant == machine.variant ||
         (image.variant.size() == machine.variant.size() && image.variant < machine.variant);
}

void check_hardware(const Device& device, const bundle::Root& root) {
  if (!root.compatible.empty() &&
      std::find(root.compatible.begin(), root.compatible.end(), device.compatible) == root.compatible.end()) {
    Error error = refused("the bundle is for other hardware");
    error.detail(cat("it is for: ", printable(join(root.compatible, "; "))));
    throw error.detail(
        cat("this device is: ", device.compatible.empty() ? "(nothing said at init)" : device.compatible));
  }
  if (!runs_on(root.platform, device.platform)) {
    throw refused(cat("the bundle is for ", root.platform.str(), ", and this device is ", device.platform.str()));
  }
}

void check_epoch(const std::optional<Floor>& floor, const Generation& next) {
  if (!floor || next.epoch > floor->epoch) return;
  if (next.epoch < floor->epoch) {
    throw refused(cat("the bundle is older than what this device had: epoch ", next.epoch, " after ", floor->epoch))
        .hint("`whittle gateway rollback` goes back to a generation that is kept here");
  }
  if (next.images_digest() != floor->images) {
    throw refused(cat("this device had another bundle with epoch ", next.epoch))
        .hint("every change of a set needs a larger epoch");
  }
}

// What the other side and the store have.
BlobSources here(const oci::BlobStore& store, const Adapter& adapter) {
  std::vector<const oci::BlobSource*> sources = {&store};
  if (adapter.content() != nullptr) sources.push_back(adapter.content());
  return BlobSources(std::move(sources));
}

void check_bases(const Plan& plan, const bundle::Root& root, const BlobSources& present) {
  std::set<Digest> wanted;
  for (const auto& [digest, size] : plan.next.blobs) wanted.insert(digest);
  for (const bundle::Rebuilt& rebuilt : plan.to_rebuild) wanted.insert(rebuilt.bases.begin(), rebuilt.bases.end());
  std::vector<bundle::BlobSize> missing;
  std::uint64_t size = 0;
  for (const bundle::BlobSize& base : root.bases) {
    if (!wanted.contains(base.digest) || present.has(base.digest, base.size)) continue;
    missing.push_back(base);
    size += base.size;
  }
  if (missing.empty()) return;
  Error error = refused(cat("the bundle builds on ", missing.size(),
                            missing.size() == 1 ? " blob that is" : " blobs that are", " not on this device"));
  for (const bundle::BlobSize& base : std::span(missing).first(std::min(missing.size(), kNamed))) {
    std::string images;
    for (const bundle::BundledImage& image : root.images) {
      if (std::find(image.blobs.begin(), image.blobs.end(), base.digest) != image.blobs.end()) {
        images += cat(images.empty() ? " of " : ", ", image.name);
      }
    }
    error.detail(cat(base.digest.str(), "  ", human_size(base.size), images));
  }
  if (missing.size() > kNamed) error.detail(cat("and ", missing.size() - kNamed, " more"));
  throw error.hint(cat("the smallest bundle that would do carries these too, ", human_size(size),
                       " more: send back `whittle gateway receipt`, and make one with `whittle set delta --have`"));
}

// That only generations have which the next one pushes out.
std::map<Digest, std::uint64_t> blobs_to_go(const Generations& generations, const Plan& plan, std::uint64_t retain) {
  std::vector<Generation> kept = {plan.next}, gone;
  const std::uint64_t former = plan.former ? plan.former->number : 0;
  if (plan.former && retain > 1) kept.push_back(*plan.former);
  const std::vector<std::uint64_t> numbers = generations.numbers();
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    if (*number == former && retain > 1) continue;
    (kept.size() < retain ? kept : gone).push_back(generations.read(*number));
  }
  std::map<Digest, std::uint64_t> blobs;
  for (const Generation& generation : gone) blobs.insert(generation.blobs.begin(), generation.blobs.end());
  for (const Generation& generation : kept) {
    for (const auto& [digest, size] : generation.blobs) blobs.erase(digest);
  }
  return blobs;
}

Forecast forecast_of(const Workshop& workshop, const Plan& plan, const oci::BlobStore& store, bool stores) {
  const StateFolder& state = workshop.state;
  ForecastBuilder builder(state.device().reserve, workshop.file_system);
  builder.add_passing(state.folder(), "the state", kBookkeeping);
  const std::string what = "the store";
  std::uint64_t scratch = 0;
  if (stores) {
    for (const bundle::BlobSize& blob : plan.to_stage) {
      builder.add_file(store.root(), what, blob.size - std::min(blob.size, staged_already(store, std::span(&blob, 1))));
    }
  }
  for (const bundle::Rebuilt& rebuilt : plan.to_rebuild) {
    if (stores) {
      builder.add_file(store.root(), what, rebuilt.blob.size);
    } else {
      builder.add_passing(store.root(), what, rebuilt.blob.size);
    }
    scratch = std::max(scratch, rebuilt.scratch);
  }
  if (scratch > 0) builder.add_passing(state.scratch(), "rebuilding", scratch);
  for (const Need& need : workshop.adapter.needs(plan.next, plan.former ? &*plan.former : nullptr)) builder.add(need);
  if (stores) {
    for (const auto& [digest, size] : blobs_to_go(Generations(state.generations()), plan, state.device().retain)) {
      builder.remove_file(store.root(), what, size);
    }
  }
  return builder.forecast();
}

class Changer {
 public:
  explicit Changer(const Workshop& workshop)
      : workshop_(workshop),
        state_(workshop.state),
        adapter_(workshop.adapter),
        runtime_(workshop.runtime),
        generations_(state_.generations()) {}

  Outcome apply(const Offer& offer);
  std::optional<Outcome> finish_open();
  Outcome roll_back(std::optional<std::uint64_t> number);

 private:
  void begin_step(Step step) {
    runtime_.check_stop();
    journal_.step = step;
    write_journal(state_.journal(), journal_);
    runtime_.events.emit(StageStarted{std::string(name_of(step)), about(step)});
  }
  std::string about(Step step) const;

  void stage(const Offer& offer, Outcome& outcome);
  void import(const Offer& offer);
  void sync();
  void deep_verify();
  void commit();
  bool is_healthy();
  [[noreturn]] void revert();
  void complete();
  void run_from(Step first, const Offer* offer, Outcome& outcome);
  void run_steps(Step first, const Offer* offer, Outcome& outcome);

  void give_up(const Journal& open);
  void collect();
  std::optional<Generation> former() const;

  const Workshop& workshop_;
  const StateFolder& state_;
  Adapter& adapter_;
  const Runtime& runtime_;
  Generations generations_;
  Journal journal_;
  Generation next_;
};

std::string Changer::about(Step step) const {
  switch (step) {
    case Step::stage:
      return cat("set ", next_.set, ", epoch ", next_.epoch, " → generation ", next_.number);
    case Step::import:
    case Step::pin:
      return adapter_.description();
    case Step::sync:
      return "everything to the disk";
    case Step::deep_verify:
      return "every byte again";
    case Step::commit:
      return cat("generation ", journal_.to);
    case Step::health:
      return state_.device().health.empty() ? "no command is set" : shell_line(state_.device().health);
    case Step::revert:
      return journal_.from == 0 ? "to no generation" : cat("to generation ", journal_.from);
    case Step::complete:
      return cat("keeps ", state_.device().retain, " generations");
  }
  return {};
}

std::optional<Generation> Changer::former() const {
  if (journal_.from == 0) return std::nullopt;
  return generations_.read(journal_.from);
}

Outcome Changer::apply(const Offer& offer) {
  const std::optional<Journal> open = read_journal(state_.journal());
  const bool is_open = open && open->is_open();
  const bool is_same = is_open && open->action == Action::apply && open->root == offer.digest;
  if (is_open && !is_same && open->is_visible()) finish_open();

  // Everything that can refuse comes before anything that writes.
  const Plan plan = plan_of(workshop_, offer);
  const bool resumes = is_same && generations_.has(open->to);
  const bool needs_bundle = !resumes || open->step <= (adapter_.uses_store() ? Step::stage : Step::import);
  if (plan.is_unchanged && !(resumes && open->is_visible())) {
    if (is_open && !is_same) give_up(*open);
    return {.generation = *plan.former, .is_unchanged = true};
  }
  if (needs_bundle) {
    plan.forecast.require();
    adapter_.require();
    runtime_.events.emit(StageStarted{"verify", "signatures, epoch, hardware, space, every carried byte"});
    offer.verify();
  }

  if (offer.trust) state_.believe(*offer.trust);
  Outcome outcome{.generation = {}, .resumed = resumes};
  if (resumes) {
    journal_ = *open;
    next_ = generations_.read(open->to);
    runtime_.events.info(cat("going on where it was interrupted: at ", name_of(open->step)));
    run_from(open->step, &offer, outcome);
  } else {
    if (is_open && !open->is_visible()) give_up(*open);
    const std::vector<std::uint64_t> numbers = generations_.numbers();
    next_ = plan.next;
    next_.number = (numbers.empty() ? 0 : numbers.back()) + 1;
    next_.applied = oci::rfc3339(std::time(nullptr));
    journal_ = {.action = Action::apply,
                .root = offer.digest,
                .set = next_.set,
                .epoch = next_.epoch,
                .from = generations_.current().value_or(0),
                .to = next_.number};
    generations_.write(next_);
    run_from(Step::stage, &offer, outcome);
  }
  outcome.generation = next_;
  return outcome;
}

// Nothing of it was in use. Its blobs in the store stay until the end of the next apply, which may want them.
void Changer::give_up(const Journal& open) {
  runtime_.events.warn(cat("the apply of set ", open.set, ", epoch ", open.epoch,
                           ", that was under way is given up: nothing of it was in use"));
  if (!generations_.has(open.to)) return;
  std::vector<Generation> kept;
  for (const std::uint64_t number : generations_.numbers()) {
    if (number != open.to) kept.push_back(generations_.read(number));
  }
  adapter_.retire(kept, {generations_.read(open.to)});
  generations_.remove(open.to);
}

std::optional<Outcome> Changer::finish_open() {
  const std::optional<Journal> open = read_journal(state_.journal());
  if (!open || !open->is_open()) return std::nullopt;
  if (!open->is_visible()) {
    throw Error(Exit::transient, cat("the apply of set ", open->set, ", epoch ", open->epoch, ", stopped at ",
                                     name_of(open->step), ", and goes on only with its bundle"))
        .hint("run `whittle gateway apply` with that bundle, or with another one")
        .note(open->from == 0 ? std::string("no generation is in use yet")
                              : cat("generation ", open->from, " is in use, whole"));
  }
  journal_ = *open;
  next_ = generations_.read(open->to);
  Outcome outcome{.generation = next_, .resumed = true};
  runtime_.events.info(cat("going on where it was interrupted: at ", name_of(open->step)));
  run_from(open->step, nullptr, outcome);
  return outcome;
}

Outcome Changer::roll_back(std::optional<std::uint64_t> number) {
  const std::optional<Journal> open = read_journal(state_.journal());
  if (open && open->is_open()) {
    adapter_.require();
    open->is_visible() ? static_cast<void>(finish_open()) : give_up(*open);
  }
  const std::optional<std::uint64_t> current = generations_.current();
  if (!current) throw refused("this device has no generation to go back from");
  std::uint64_t target = 0;
  for (const std::uint64_t one : generations_.numbers()) {
    if (number ? one == *number : one < *current) target = one;
  }
  if (target == 0) {
    Error error = refused(number ? cat("generation ", *number, " is not kept on this device")
                                 : cat("there is no generation before ", *current));
    throw error.hint("`whittle gateway status` lists what is kept");
  }
  Outcome outcome{.generation = {}};
  next_ = generations_.read(target);
  outcome.generation = next_;
  if (target == *current) {
    outcome.is_unchanged = true;
    return outcome;
  }
  adapter_.require();
  std::vector<Damage> damage = adapter_.uses_store() ? check_store(workshop_, next_, true) : std::vector<Damage>();
  const std::vector<Damage> more = adapter_.check(next_, false, !adapter_.uses_store());
  damage.insert(damage.end(), more.begin(), more.end());
  if (!damage.empty()) {
    Error error = refused(cat("generation ", target, " is damaged"));
    for (const Damage& one : damage) error.cause(cat(one.object, ": ", one.text));
    throw error.hint("`whittle gateway verify --deep --heal BUNDLE` mends it from a bundle that has it");
  }
  journal_ = {.action = Action::rollback,
              .root = next_.root,
              .set = next_.set,
              .epoch = next_.epoch,
              .from = *current,
              .to = target};
  run_from(Step::commit, nullptr, outcome);
  return outcome;
}

// Whatever stops a change that has begun is mended by the same command: so it says.
void Changer::run_from(Step first, const Offer* offer, Outcome& outcome) {
  try {
    run_steps(first, offer, outcome);
  } catch (const Error& error) {
    if (error.exit() == Exit::rolled_back || error.exit() == Exit::bug) throw;
    Error incomplete = bundle::with_exit(Exit::transient, error);
    incomplete.hint(offer != nullptr || journal_.is_visible() ? "run the same command again: it goes on from here"
                                                              : "run `whittle gateway apply` with the bundle again");
    std::string state = cat("the ", name_of(journal_.action), " is incomplete: it stopped at ", name_of(journal_.step));
    if (journal_.is_visible()) {
      state += cat("; generation ", journal_.to, " is whole on the device");
      if (journal_.from != 0) state += cat(", and so is generation ", journal_.from);
    } else {
      state += journal_.from == 0 ? "; no generation is in use yet"
                                  : cat("; generation ", journal_.from, " is in use, whole");
    }
    throw incomplete.note(state);
  }
}

void Changer::run_steps(Step first, const Offer* offer, Outcome& outcome) {
  for (Step step = first;; step = static_cast<Step>(static_cast<int>(step) + 1)) {
    begin_step(step);
    switch (step) {
      case Step::stage:
        stage(*offer, outcome);
        break;
      case Step::import:
        import(*offer);
        break;
      case Step::pin:
        adapter_.pin(next_);
        break;
      case Step::sync:
        sync();
        break;
      case Step::deep_verify:
        deep_verify();
        break;
      case Step::commit:
        commit();
        break;
      case Step::health:
        // Going back is what the operator wants; that a command says.
        if (journal_.action == Action::rollback || is_healthy()) {
          step = Step::revert;  // passed over
        }
        break;
      case Step::revert:
        revert();
      case Step::complete:
        complete();
        return;
    }
  }
}

void Changer::stage(const Offer& offer, Outcome& outcome) {
  make_folders(state_.scratch());
  RecordingEvents quiet;
  oci::Layout store(state_.store(), oci::Layout::Open::create, quiet);
  const Stager stager(workshop_, offer, store.blobs());
  outcome.staged = stager.stage(next_, adapter_.uses_store());
}

void Changer::import(const Offer& offer) {
  make_folders(state_.scratch());
  const oci::BlobStore store(state_.store());
  std::vector<const oci::BlobSource*> sources = {&store, &offer.carried};
  if (adapter_.content() != nullptr) sources.push_back(adapter_.content());
  adapter_.import(next_, BlobSources(std::move(sources)));
}

void Changer::sync() {
  std::vector<fs::path> places = adapter_.places();
  places.push_back(state_.folder());
  for (const fs::path& place : places) {
    const FileDescriptor folder(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder && errno == ENOENT) continue;
    if (!folder || ::syncfs(folder.get()) != 0) {
      throw system_error(Exit::export_failed, cat("cannot sync the file system of ", backticked(place.native())));
    }
  }
}

void Changer::deep_verify() {
  std::vector<Damage> damage = adapter_.uses_store() ? check_store(workshop_, next_, true) : std::vector<Damage>();
  const std::vector<Damage> more = adapter_.check(next_, false, !adapter_.uses_store());
  damage.insert(damage.end(), more.begin(), more.end());
  if (damage.empty()) return;
  adapter_.discard(next_, more);
  // What was written must be written again.
  journal_.step = Step::stage;
  write_journal(state_.journal(), journal_);
  Error error(Exit::transient, "what was written is not what is read back");
  for (const Damage& one : damage) error.cause(cat(one.object, ": ", one.text));
  throw error.hint("run the same command again; if it stays so, the storage is failing");
}

void Changer::commit() {
  const std::optional<Generation> old = former();
  adapter_.commit(old ? &*old : nullptr, &next_);
  generations_.select(next_.number, generations_.floor());
}

bool Changer::is_healthy() {
  const Device& device = state_.device();
  if (device.health.empty()) return true;
  Command command{.argv = device.health, .env = runtime_.environment, .folder = {}};
  command.env["WHITTLE_GATEWAY_STATE"] = state_.folder().native();
  command.env["WHITTLE_GATEWAY_GENERATION"] = std::to_string(next_.number);
  command.env["WHITTLE_GATEWAY_SET"] = next_.set;
  command.env["WHITTLE_GATEWAY_EPOCH"] = std::to_string(next_.epoch);
  const Deadline deadline(std::chrono::seconds(device.health_seconds), runtime_.stop);
  std::string said;
  try {
    const CapturedOutput captured = run_captured(runtime_.runner, command, deadline.token());
    if (captured.result.ok()) return true;
    if (captured.result.cancelled && !deadline.has_passed()) runtime_.check_stop();
    said = captured.error.empty() ? captured.out : captured.error;
    journal_.reason = deadline.has_passed() ? cat("the health command did not end in ", device.health_seconds, " s")
                                            : cat("the health command ended with ", captured.result.status);
  } catch (const Error& error) {
    if (error.exit() == Exit::transient) throw;
    journal_.reason = cat("the health command cannot be started: ", error.message());
  }
  const std::vector<std::string> lines = split_lines(trim(said));
  for (std::size_t i = lines.size() > kHealthLines ? lines.size() - kHealthLines : 0; i < lines.size(); ++i) {
    journal_.reason += cat("\n", printable(lines[i]));
  }
  return false;
}

void Changer::revert() {
  const std::optional<Generation> old = former();
  adapter_.commit(&next_, old ? &*old : nullptr);
  generations_.select(journal_.from == 0 ? std::nullopt : std::optional(journal_.from), generations_.floor());
  Audit(state_.audit())
      .append({{"event", "rolled back"},
               {"set", next_.set},
               {"epoch", next_.epoch},
               {"root", next_.root.str()},
               {"generation", next_.number},
               {"inUse", journal_.from},
               {"reason", journal_.reason}});
  collect();
  journal_.ending = Ending::rolled_back;
  write_journal(state_.journal(), journal_);
  Error error(Exit::rolled_back, cat("set ", next_.set, ", epoch ", next_.epoch, ", is not healthy on this device"));
  for (const std::string& line : split_lines(journal_.reason)) error.cause(line);
  throw error.hint("the bundle can be applied again; with a mended one the set needs a larger epoch")
      .note(journal_.from == 0 ? std::string("no generation is in use, as before")
                               : cat("generation ", journal_.from, " is in use again"));
}

void Changer::complete() {
  Json facts = {{"event", journal_.action == Action::apply ? "applied" : "rollback"},
                {"set", next_.set},
                {"epoch", next_.epoch},
                {"root", next_.root.str()},
                {"generation", next_.number},
                {"former", journal_.from}};
  Json images = Json::object();
  for (const bundle::BundledImage& image : next_.images) images[image.reference] = image.target.digest.str();
  facts["images"] = images;
  Audit(state_.audit()).append(facts);
  const std::optional<Floor> floor = generations_.floor();
  if (!floor || next_.epoch >= floor->epoch) {
    generations_.select(next_.number, Floor{.epoch = next_.epoch, .images = next_.images_digest()});
  }
  collect();
  journal_.ending = Ending::complete;
  write_journal(state_.journal(), journal_);
}

// The generation in use is kept, the one before it, and then the newest; the others go, and every blob in the store
// that none of the kept ones has.
void Changer::collect() {
  const std::uint64_t current = generations_.current().value_or(0);
  std::vector<std::uint64_t> wanted = {current};
  const bool has_failed = current != journal_.to;
  if (!has_failed) wanted.push_back(journal_.from);
  const std::vector<std::uint64_t> numbers = generations_.numbers();
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    if (!has_failed || *number != journal_.to) wanted.push_back(*number);
  }
  std::set<std::uint64_t> kept_numbers;
  for (const std::uint64_t number : wanted) {
    if (kept_numbers.size() < state_.device().retain && generations_.has(number)) kept_numbers.insert(number);
  }
  std::vector<Generation> kept, gone;
  for (const std::uint64_t number : numbers) {
    (kept_numbers.contains(number) ? kept : gone).push_back(generations_.read(number));
  }
  adapter_.retire(kept, gone);
  remove_blobs(state_.store(), adapter_.uses_store() ? kept : std::vector<Generation>());
  for (const Generation& generation : gone) generations_.remove(generation.number);
  remove_tree(state_.scratch());
}

}  // namespace

Plan plan_of(const Workshop& workshop, const Offer& offer) {
  const StateFolder& state = workshop.state;
  check_hardware(state.device(), offer.root);
  const Generations generations(state.generations());
  Plan plan{.former = generations.current_generation(), .next = Generation::from(offer.root, offer.digest, 0)};
  check_epoch(generations.floor(), plan.next);

  const oci::BlobStore store(state.store());
  const bool stores = workshop.adapter.uses_store();
  const BlobSources present = here(store, workshop.adapter);
  for (const bundle::BlobSize& blob : offer.root.blobs) {
    if (!plan.next.blobs.contains(blob.digest) || present.has(blob.digest, blob.size)) continue;
    plan.to_stage.push_back(blob);
  }
  for (const bundle::Rebuilt& rebuilt : offer.root.rebuilt) {
    if (!plan.next.blobs.contains(rebuilt.blob.digest)) continue;
    if (present.has(rebuilt.blob.digest, rebuilt.blob.size)) continue;
    bundle::check_compressor(rebuilt);
    plan.to_rebuild.push_back(rebuilt);
  }
  check_bases(plan, offer.root, present);
  plan.staged_already = staged_already(store, plan.to_stage);
  if (plan.former && plan.former->epoch == plan.next.epoch &&
      plan.former->images_digest() == plan.next.images_digest()) {
    plan.is_unchanged = plan.to_stage.empty() && plan.to_rebuild.empty() &&
                        (!stores || check_store(workshop, *plan.former, false).empty()) &&
                        workshop.adapter.check(*plan.former, true, false).empty();
  }
  plan.forecast = forecast_of(workshop, plan, store, stores);
  return plan;
}

Outcome apply(const Workshop& workshop, const Offer& offer) {
  const FileLock lock = workshop.state.lock();
  return Changer(workshop).apply(offer);
}

std::optional<Outcome> resume(const Workshop& workshop) {
  const FileLock lock = workshop.state.lock();
  return Changer(workshop).finish_open();
}

Outcome roll_back(const Workshop& workshop, std::optional<std::uint64_t> number) {
  const FileLock lock = workshop.state.lock();
  return Changer(workshop).roll_back(number);
}

}  // namespace whittle::gateway
