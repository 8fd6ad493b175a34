#include "gateway/commands.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/reader.hpp"
#include "bundle/receipt.hpp"
#include "gateway/audit.hpp"
#include "gateway/upkeep.hpp"

namespace whittle::gateway {

namespace {

constexpr std::uint64_t kMaximumTrust = 1 << 20;

// A refusal says that it left everything as it was.
template <class Function>
decltype(auto) refusing(Function&& body) {
  try {
    return std::forward<Function>(body)();
  } catch (Error& error) {
    if (error.exit() == Exit::refused && error.notes().empty()) error.note("nothing was changed");
    throw;
  }
}

// Everything that a command about a device has in hand.
struct Bench {
  Bench(const std::string& state_option, CommandContext& context)
      : runtime{context.events, context.runner, context.environment, context.stop},
        state(StateFolder::open(state_folder(state_option, context.environment))),
        adapter(make_adapter(state, runtime, context.adapters)),
        workshop{.state = state, .adapter = *adapter, .runtime = runtime} {}

  Runtime runtime;
  StateFolder state;
  std::unique_ptr<Adapter> adapter;
  Workshop workshop;
};

// A bundle whose signatures were checked.
struct Opened {
  Opened(const std::vector<std::string>& files, const StateFolder& state, CommandContext& context)
      : reader(std::vector<fs::path>(files.begin(), files.end())),
        offer{.root = reader.root(), .digest = reader.root_digest(), .carried = reader, .verify = [this, &context] {
                reader.verify(context.events, context.stop);
              }} {
    const bundle::Trust pinned = state.trust();
    bundle::Trust followed = reader.check_trust(pinned);
    if (followed.version > pinned.version) offer.trust = std::move(followed);
  }

  bundle::BundleReader reader;
  Offer offer;
};

Json json_of(const Forecast& forecast) {
  Json rows = Json::array();
  for (const Forecast::Row& row : forecast.rows) {
    rows.push_back({{"folder", row.folder.native()},
                    {"for", row.what},
                    {"freeBytes", row.now.free_bytes},
                    {"neededBytes", row.bytes},
                    {"peakBytes", row.peak()},
                    {"freedBytes", row.freed_bytes},
                    {"reserveBytes", row.reserve},
                    {"fits", row.fits()}});
    if (row.now.counts_inodes) {
      rows.back()["freeInodes"] = row.now.free_inodes;
      rows.back()["neededInodes"] = row.inodes;
      rows.back()["freedInodes"] = row.freed_inodes;
    }
  }
  return rows;
}

struct Changes {
  std::vector<const bundle::BundledImage*> added, changed, same, gone;
};

Changes changes_of(const Plan& plan) {
  Changes changes;
  for (const bundle::BundledImage& image : plan.next.images) {
    const bundle::BundledImage* const old = plan.former ? plan.former->find(image.reference) : nullptr;
    if (old == nullptr) {
      changes.added.push_back(&image);
    } else {
      (old->target.digest == image.target.digest ? changes.same : changes.changed).push_back(&image);
    }
  }
  if (plan.former) {
    for (const bundle::BundledImage& image : plan.former->images) {
      if (plan.next.find(image.reference) == nullptr) changes.gone.push_back(&image);
    }
  }
  return changes;
}

std::uint64_t size_of(const std::vector<bundle::BlobSize>& blobs) {
  std::uint64_t size = 0;
  for (const bundle::BlobSize& blob : blobs) size += blob.size;
  return size;
}

std::uint64_t less(std::uint64_t a, std::uint64_t b) {
  return a > b ? a - b : 0;
}

void print(const Plan& plan, std::ostream& out) {
  const Generation& next = plan.next;
  out << "set       " << printable(next.set) << ", epoch " << next.epoch;
  if (plan.former) {
    out << "; this device has epoch " << plan.former->epoch << ", generation " << plan.former->number;
  } else {
    out << "; this device has no generation yet";
  }
  out << "\n";
  const Changes changes = changes_of(plan);
  out << "images    " << next.images.size() << ": " << changes.added.size() << " new, " << changes.changed.size()
      << " changed, " << changes.same.size() << " as they are; " << changes.gone.size() << " go\n";
  const auto list = [&](char mark, const std::vector<const bundle::BundledImage*>& images) {
    for (const bundle::BundledImage* image : images) {
      out << "          " << mark << " " << printable(image->reference) << (image->is_critical ? "  critical" : "")
          << "\n";
    }
  };
  list('+', changes.added);
  list('~', changes.changed);
  list('-', changes.gone);
  if (plan.is_unchanged) {
    out << "nothing   is to be done\n";
    return;
  }
  out << "blobs     " << plan.to_stage.size() << " come, " << human_size(size_of(plan.to_stage)) << "; "
      << plan.to_rebuild.size() << " are rebuilt here";
  if (plan.staged_already > 0) out << "; " << human_size(plan.staged_already) << " are here from an earlier try";
  out << "\n";
  for (const Forecast::Row& row : plan.forecast.rows) {
    out << "space     " << printable(row.folder.native()) << ": " << row.what << "\n";
    out << "          bytes   free " << human_size(row.now.free_bytes) << ", takes " << human_size(row.bytes)
        << " and for a while " << human_size(row.passing_bytes) << ", gives back " << human_size(row.freed_bytes)
        << ", free after " << human_size(less(row.now.free_bytes + row.freed_bytes, row.bytes)) << "; "
        << human_size(row.reserve) << " stay in reserve\n";
    if (row.now.counts_inodes) {
      out << "          inodes  free " << row.now.free_inodes << ", takes " << row.inodes << ", gives back "
          << row.freed_inodes << "\n";
    }
  }
}

Json json_of(const Plan& plan) {
  const auto names = [](const std::vector<const bundle::BundledImage*>& images) {
    Json list = Json::array();
    for (const bundle::BundledImage* image : images) list.push_back(image->reference);
    return list;
  };
  const Changes changes = changes_of(plan);
  Json json = {{"set", plan.next.set},
               {"epoch", plan.next.epoch},
               {"root", plan.next.root.str()},
               {"added", names(changes.added)},
               {"changed", names(changes.changed)},
               {"same", names(changes.same)},
               {"gone", names(changes.gone)},
               {"unchanged", plan.is_unchanged},
               {"blobs", plan.to_stage.size()},
               {"bytes", size_of(plan.to_stage)},
               {"rebuilt", plan.to_rebuild.size()},
               {"alreadyHere", plan.staged_already},
               {"space", json_of(plan.forecast)}};
  if (plan.former) json["former"] = {{"generation", plan.former->number}, {"epoch", plan.former->epoch}};
  return json;
}

Json json_of(const Generation& generation) {
  Json images = Json::array();
  for (const bundle::BundledImage& image : generation.images) {
    images.push_back({{"name", image.name},
                      {"reference", image.reference},
                      {"digest", image.target.digest.str()},
                      {"critical", image.is_critical}});
  }
  return {{"generation", generation.number}, {"set", generation.set},         {"epoch", generation.epoch},
          {"root", generation.root.str()},   {"applied", generation.applied}, {"images", images}};
}

int tell(const Outcome& outcome, Action action, bool json, CommandContext& context) {
  const Generation& generation = outcome.generation;
  if (json) {
    Json document = json_of(generation);
    document["unchanged"] = outcome.is_unchanged;
    document["resumed"] = outcome.resumed;
    document["bytesWritten"] = outcome.staged;
    context.out << pretty_json(document);
    return 0;
  }
  if (outcome.is_unchanged) {
    context.events.info(cat("nothing to do: this is generation ", generation.number, " already"));
  } else if (action == Action::rollback) {
    context.events.info("back again; the epoch that a bundle needs stays as high as it was");
  }
  context.out << "generation " << generation.number << ": set " << printable(generation.set) << ", epoch "
              << generation.epoch << ", " << generation.images.size() << " images\n";
  return 0;
}

// The newest of a chain: who starts a device believes what is handed over with it.
bundle::Trust trust_from(const std::string& file) {
  const std::string text = read_file(file, kMaximumTrust);
  const bundle::TrustChain chain = bundle::TrustChain::decode(text, backticked(file));
  if (chain.documents.empty()) throw Error(Exit::usage, cat(backticked(file), " holds no trust document"));
  return bundle::follow(bundle::Trust::decode(chain.documents.front().text, backticked(file)), chain);
}

std::uint64_t size_from(const std::string& text, const char* option) {
  const auto size = parse_size(text);
  if (!size) {
    throw Error(Exit::usage, cat(backticked(text), " is no size for `", option, "`")).hint("for example 64MiB");
  }
  return *size;
}

}  // namespace

fs::path state_folder(const std::string& given, const std::map<std::string, std::string>& environment) {
  if (!given.empty()) return fs::absolute(given);
  const auto variable = environment.find("WHITTLE_GATEWAY_STATE");
  if (variable != environment.end() && !variable->second.empty()) return fs::absolute(variable->second);
  return "/var/lib/whittle-gateway";
}

int command_init(const InitOptions& options, CommandContext& context) {
  Device device{.name = options.name,
                .compatible = options.compatible,
                .platform = oci::Platform::host(),
                .adapter = options.adapter,
                .options = {},
                .retain = options.retain,
                .reserve = size_from(options.reserve, "--reserve"),
                .health = options.health,
                .health_seconds = options.health_seconds};
  if (!options.platform.empty()) {
    const auto platform = oci::Platform::parse(options.platform);
    if (!platform) {
      throw Error(Exit::usage, cat(backticked(options.platform), " is no platform")).hint("for example linux/arm64");
    }
    device.platform = *platform;
  }
  for (const std::string& option : options.adapter_options) {
    const std::size_t equals = option.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Error(Exit::usage, cat(backticked(option), " is not of the form NAME=VALUE"));
    }
    device.options[option.substr(0, equals)] = option.substr(equals + 1);
  }
  const bundle::Trust trust = trust_from(options.trust);
  const fs::path folder = state_folder(options.state, context.environment);
  // The adapter says what it thinks of its options before anything is written.
  const Runtime runtime{context.events, context.runner, context.environment, context.stop};
  const std::string description =
      make_adapter(StateFolder::preview(folder, device), runtime, context.adapters)->description();
  StateFolder::create(folder, device, trust);
  context.events.info(cat(backticked(folder.native()), " is the device ", printable(device.name), ", ",
                          device.platform.str(), ", with ", description));
  context.events.info(cat("it takes bundles of the set ", printable(trust.set), " that ", trust.threshold, " of ",
                          trust.keys.size(), trust.keys.size() == 1 ? " key" : " keys", " signed"));
  return 0;
}

namespace {

int plan_bundle(const BundleOptions& options, CommandContext& context) {
  Bench bench(options.state, context);
  const Opened opened(options.bundle, bench.state, context);
  const Plan plan = plan_of(bench.workshop, opened.offer);
  if (options.json) {
    context.out << pretty_json(json_of(plan));
  } else {
    print(plan, context.out);
  }
  context.out.flush();
  if (!plan.is_unchanged) plan.forecast.require();
  return 0;
}

int apply_bundle(const BundleOptions& options, CommandContext& context) {
  Bench bench(options.state, context);
  if (options.bundle.empty()) {
    const std::optional<Outcome> outcome = resume(bench.workshop);
    if (outcome) return tell(*outcome, Action::apply, options.json, context);
    throw Error(Exit::usage, "nothing is under way, and no bundle is named")
        .hint("`whittle gateway apply FILE` applies a bundle")
        .note("nothing was changed");
  }
  const Opened opened(options.bundle, bench.state, context);
  return tell(apply(bench.workshop, opened.offer), Action::apply, options.json, context);
}

}  // namespace

int command_plan(const BundleOptions& options, CommandContext& context) {
  return refusing([&] { return plan_bundle(options, context); });
}

int command_apply(const BundleOptions& options, CommandContext& context) {
  return refusing([&] { return apply_bundle(options, context); });
}

int command_rollback(const RollbackOptions& options, CommandContext& context) {
  Bench bench(options.state, context);
  const Outcome outcome = roll_back(bench.workshop, options.to == 0 ? std::nullopt : std::optional(options.to));
  return tell(outcome, Action::rollback, options.json, context);
}

int command_status(const StatusOptions& options, CommandContext& context) {
  const Bench bench(options.state, context);
  const Device& device = bench.state.device();
  const Generations generations(bench.state.generations());
  const std::uint64_t current = generations.current().value_or(0);
  const std::optional<Journal> journal = read_journal(bench.state.journal());
  const bool is_open = journal && journal->is_open();
  const bundle::Trust trust = bench.state.trust();
  const Audit::State audit = Audit(bench.state.audit()).verify();
  if (options.json) {
    Json kept = Json::array();
    for (const std::uint64_t number : generations.numbers()) kept.push_back(json_of(generations.read(number)));
    Json json = {{"device", device.name},
                 {"compatible", device.compatible},
                 {"platform", device.platform.str()},
                 {"adapter", device.adapter},
                 {"generation", current},
                 {"generations", kept},
                 {"trust", {{"set", trust.set}, {"version", trust.version}, {"threshold", trust.threshold}}},
                 {"audit", {{"lines", audit.lines}, {"intact", audit.problem.empty()}}}};
    if (const auto floor = generations.floor()) json["epoch"] = floor->epoch;
    if (journal) {
      json["last"] = {{"action", name_of(journal->action)},
                      {"set", journal->set},
                      {"epoch", journal->epoch},
                      {"from", journal->from},
                      {"to", journal->to},
                      {"step", name_of(journal->step)},
                      {"underWay", is_open},
                      {"rolledBack", journal->ending == Ending::rolled_back},
                      {"reason", journal->reason}};
    }
    context.out << pretty_json(json);
    return is_open ? static_cast<int>(Exit::transient) : 0;
  }
  context.out << "device      " << printable(device.name) << ", "
              << (device.compatible.empty() ? "no hardware named" : printable(device.compatible)) << ", "
              << device.platform.str() << "\n";
  context.out << "images      " << bench.adapter->description() << "\n";
  context.out << "trust       set " << printable(trust.set) << ", version " << trust.version << ", " << trust.threshold
              << " of " << trust.keys.size() << " keys\n";
  for (const std::uint64_t number : generations.numbers()) {
    const Generation generation = generations.read(number);
    const bool is_coming = is_open && !journal->is_visible() && number == journal->to;
    context.out << (number == current ? "in use      "
                    : is_coming       ? "on its way  "
                                      : "kept        ")
                << "generation " << number << ": set " << printable(generation.set) << ", epoch " << generation.epoch
                << ", " << generation.images.size() << " images, applied " << generation.applied << "\n";
    if (number != current) continue;
    for (const bundle::BundledImage& image : generation.images) {
      context.out << "              " << printable(image.reference) << "  " << image.target.digest.str() << "\n";
    }
  }
  if (current == 0) context.out << "in use      nothing yet\n";
  if (!audit.problem.empty()) context.out << "audit       " << audit.problem << "\n";
  if (journal && journal->ending == Ending::rolled_back) {
    context.out << "last        set " << printable(journal->set) << ", epoch " << journal->epoch
                << ", was rolled back: " << printable(split_lines(journal->reason + "\n").front()) << "\n";
  }
  if (is_open) {
    context.out << "incomplete  " << name_of(journal->action) << " of set " << printable(journal->set) << ", epoch "
                << journal->epoch << ", at " << name_of(journal->step) << ": "
                << (journal->is_visible() ? "`whittle gateway apply` goes on" : "run apply with its bundle again")
                << "\n";
  }
  return is_open ? static_cast<int>(Exit::transient) : 0;
}

int command_verify(const VerifyOptions& options, CommandContext& context) {
  Bench bench(options.state, context);
  bench.adapter->require();
  const bool deep = options.deep || !options.heal.empty();
  const Findings findings = verify(bench.workshop, deep);
  std::vector<Damage> left;
  for (const Findings::One& one : findings.damage) left.push_back(one.damage);
  if (!options.heal.empty() && !findings.damage.empty()) {
    const Opened opened(options.heal, bench.state, context);
    for (const Damage& one : left) context.events.warn(cat(one.object, ": ", one.text));
    left = heal(bench.workshop, opened.offer, findings);
    context.events.info(cat(findings.damage.size() - std::min(left.size(), findings.damage.size()), " of ",
                            findings.damage.size(), " mended"));
  }
  if (options.json) {
    Json list = Json::array();
    for (const Damage& one : left) list.push_back({{"object", one.object}, {"problem", one.text}});
    context.out << pretty_json({{"deep", deep},
                                {"blobs", findings.blobs},
                                {"bytes", findings.bytes},
                                {"found", findings.damage.size()},
                                {"damaged", list},
                                {"audit", findings.audit}});
  }
  if (left.empty() && findings.audit.empty()) {
    if (!options.json) {
      context.out << findings.blobs << " blobs, " << human_size(findings.bytes) << ": all sound"
                  << (deep ? "" : ", as far as their seals tell; --deep reads every byte") << "\n";
    }
    return 0;
  }
  Error error(Exit::export_failed, left.empty() ? std::string("the audit log was changed")
                                                : cat(left.size(), " things on this device are damaged or missing"));
  for (const Damage& one : left) error.cause(cat(one.object, ": ", one.text));
  if (!findings.audit.empty()) error.cause(findings.audit);
  if (!left.empty())
    error.hint("`whittle gateway verify --deep --heal BUNDLE` brings them from a bundle that has them");
  throw error;
}

int command_receipt(const ReceiptOptions& options, CommandContext& context) {
  const Bench bench(options.state, context);
  const Device& device = bench.state.device();
  const Generations generations(bench.state.generations());
  const std::optional<Generation> current = generations.current_generation();
  bundle::Receipt receipt{.device = device.name,
                          .compatible = device.compatible,
                          .platform = device.platform,
                          .set = {},
                          .epoch = 0,
                          .generation = 0,
                          .compressor = compressor_version(),
                          .free_bytes = file_system_of(bench.state.folder()).free_bytes,
                          .blobs = {},
                          .images = {}};
  if (current) {
    receipt.set = current->set;
    receipt.epoch = current->epoch;
    receipt.generation = current->number;
    for (const bundle::BundledImage& image : current->images) {
      receipt.images.push_back(cat(image.name, " ", image.target.digest.str()));
    }
  }
  const oci::BlobStore store(bench.state.store());
  std::set<Digest> present;
  for (const std::uint64_t number : generations.numbers()) {
    const Generation generation = generations.read(number);
    for (const auto& [digest, size] : generation.blobs) {
      const oci::BlobSource* const content = bench.adapter->content();
      if (store.has(digest, size) || (content != nullptr && content->has(digest, size))) present.insert(digest);
    }
  }
  receipt.blobs.assign(present.begin(), present.end());
  std::optional<bundle::SigningKey> key;
  if (!options.key.empty()) key = bundle::SigningKey::from_file(options.key);
  std::string text = receipt.encode(key ? &*key : nullptr);
  if (!text.ends_with('\n')) text += '\n';
  if (options.output.empty()) {
    context.out << text;
  } else {
    write_file(options.output, text);
    context.events.info(cat("receipt of ", present.size(), " blobs in ", backticked(options.output)));
  }
  return 0;
}

}  // namespace whittle::gateway
