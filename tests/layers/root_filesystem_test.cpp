#include "layers/root_filesystem.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "tests/layers/support.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

std::string paths_of(const RootFilesystem& root) {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : root) paths.push_back(path);
  return join(paths, " ");
}

const File& file_at(const RootFilesystem& root, const std::string& path) {
  REQUIRE(root.contains(path));
  return std::get<File>(root.at(path).node);
}

std::string summary(const Entry& entry) {
  return cat(entry.node.index(), " ", entry.mode, " ", entry.uid, " ", entry.gid, " ", entry.origin);
}

}  // namespace

TEST_CASE("a program's image has the program, accounts and a place for temporary files") {
  Workshop shop;
  shop.program("/bin/app", "program");
  const RootFilesystem root = shop.compose();
  CHECK(paths_of(root) == "bin bin/app etc etc/group etc/passwd tmp");
  CHECK(root.at("bin/app").mode == 0755);
  CHECK(root.at("bin/app").origin == "step compile app");
  CHECK(root.at("tmp").mode == 01777);
  CHECK(file_at(root, "etc/passwd").text ==
        "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n");
  CHECK_FALSE(root.at("etc/passwd").reason.empty());
}

TEST_CASE("the plan's numeric user is in passwd and group, and a name that is not known is refused") {
  Workshop shop;
  shop.plan.image.user = "1000:50";
  CHECK(file_at(shop.compose(), "etc/passwd").text.ends_with("user:x:1000:50:user:/:/sbin/nologin\n"));
  CHECK(file_at(shop.compose(), "etc/group").text == "root:x:0:\nnonroot:x:65532:\nuser:x:50:\n");
  for (const std::string_view known : {"root", "nonroot:nonroot", "65532", "0:0", ""}) {
    shop.plan.image.user = known;
    CHECK_NOTHROW(shop.compose());
  }
  for (const std::string_view unknown : {"postgres", "1000:staff", "-1", "4294967295", ":", "1:2:3"}) {
    shop.plan.image.user = unknown;
    CHECK(error_of([&] { shop.compose(); }).starts_with(cat("the user `", unknown, "` is not known in the image")));
  }
}

TEST_CASE("CA roots come on evidence, always, or never") {
  Workshop shop;
  const std::string path = "etc/ssl/certs/ca-certificates.crt";
  CHECK_FALSE(shop.compose().contains(path));
  shop.needs.certificates = "bin/app: crypto/tls";
  CHECK(shop.compose().at(path).reason == "bin/app: crypto/tls");
  shop.plan.image.certificates = "never";
  CHECK_FALSE(shop.compose().contains(path));
  shop.needs.certificates = "";
  shop.plan.image.certificates = "always";
  CHECK(shop.compose().at(path).reason == "certificates = \"always\"");
  shop.facts.certificates = "/nowhere/roots.crt";
  CHECK(error_of([&] { shop.compose(); }) ==
        "the CA certificates `/nowhere/roots.crt` are not on this host; needed: certificates = \"always\"");
}

TEST_CASE("time zones: the one in TZ, those named, all of them on evidence alone") {
  Workshop shop;
  const auto zones = [&] {
    std::size_t count = 0;
    for (const auto& [path, entry] : shop.compose())
      count += path.starts_with("usr/share/zoneinfo/") && std::holds_alternative<File>(entry.node);
    return count;
  };
  CHECK(zones() == 0);
  shop.needs.time_zones = "bin/app: time.LoadLocation";
  CHECK(zones() > 300);
  CHECK(zones() < 700);
  CHECK_FALSE(shop.compose().contains("usr/share/zoneinfo/posix"));
  CHECK_FALSE(shop.compose().contains("usr/share/zoneinfo/tzdata.zi"));
  shop.plan.image.env["TZ"] = "Asia/Shanghai";
  CHECK(zones() == 1);
  shop.plan.image.timezones = {"Europe/Berlin", "UTC"};
  CHECK(zones() == 3);
  shop.plan.image.timezones = {};
  CHECK(zones() == 0);
  shop.plan.image.timezones = {"auto"};
  shop.plan.image.env["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3";
  shop.needs.time_zones = "";
  CHECK(zones() == 0);
  shop.plan.image.timezones = {"Asia/Shangai"};
  CHECK(error_of([&] { shop.compose(); }) == "there is no time zone `Asia/Shangai`; needed: named by `timezones`");
  shop.plan.image.timezones = {"../../etc/passwd"};
  CHECK(error_of([&] { shop.compose(); }).starts_with("there is no time zone `../../etc/passwd`"));
}

TEST_CASE("what a program was seen to miss is there, with what it said as the reason") {
  using Kind = plan::Supply::Kind;
  Workshop shop;
  write_tree(shop.around.path(), {{"services", "ntp 123/udp\n"}, {"terminfo/x/xterm", "x"}, {"terminfo/v/vt220", "v"}});
  shop.facts.services = shop.around.path() / "services";
  shop.facts.protocols = "/nowhere/protocols";
  shop.facts.terminals = {"/nowhere", shop.around.path() / "terminfo"};
  shop.plan.image.user = "1000:50";
  shop.plan.image.supplies = {{Kind::certificates, "/etc/pki/tls/certs/ca-bundle.crt", "said roots"},
                              {Kind::time_zones, "", "said zones"},
                              {Kind::name_service, "", "said names"},
                              {Kind::services, "", "said services"},
                              {Kind::terminal, "vt220", "said terminal"},
                              {Kind::folder, "/var/lib/app", "said folder"}};
  const RootFilesystem root = shop.compose();
  const auto reason = [&](const std::string& path) { return root.contains(path) ? root.at(path).reason : "absent"; };
  CHECK(reason("etc/ssl/certs/ca-certificates.crt") == "said roots");
  CHECK(reason("etc/pki/tls/certs/ca-bundle.crt") == "said roots");
  CHECK(reason("usr/share/zoneinfo/UTC") == "said zones");
  CHECK(reason("etc/nsswitch.conf") == "said names");
  CHECK(file_at(root, "etc/hosts").text == "127.0.0.1 localhost\n::1 localhost\n");
  CHECK(reason("etc/services") == "said services");
  CHECK(reason("etc/protocols") == "absent");
  CHECK(reason("usr/share/terminfo/x/xterm") == "said terminal");
  CHECK(reason("usr/share/terminfo/v/vt220") == "said terminal");
  CHECK(summary(root.at("var/lib/app")) == "0 493 1000 50 whittle, folder");
  for (const plan::Supply& supply : shop.plan.image.supplies) CHECK(shop.facts.has(supply));
  shop.facts.certificates = shop.facts.time_zones = shop.facts.services = "/nowhere";
  shop.facts.terminals.clear();
  CHECK_FALSE(shop.facts.has(shop.plan.image.supplies[0]));
  CHECK_FALSE(shop.facts.has(shop.plan.image.supplies[1]));
  CHECK_FALSE(shop.facts.has(shop.plan.image.supplies[3]));
  CHECK_FALSE(shop.facts.has(shop.plan.image.supplies[4]));
}

TEST_CASE("what the configuration forbids is not supplied, and what the project brings is kept") {
  Workshop shop;
  write_tree(shop.tree, {{"hosts", "10.0.0.1 me\n"}});
  shop.plan.image.files = {{"hosts", "/etc/hosts", ""}};
  shop.plan.image.certificates = "never";
  shop.plan.image.supplies = {{plan::Supply::Kind::certificates, "/etc/ssl/cert.pem", "said"},
                              {plan::Supply::Kind::name_service, "", "said"}};
  const RootFilesystem root = shop.compose();
  CHECK_FALSE(root.contains("etc/ssl"));
  CHECK(root.at("etc/hosts").origin != "whittle, name service");
}

TEST_CASE("what the project brings takes the place of a base fact") {
  Workshop shop;
  write_tree(shop.tree, {{"passwd", "me:x:5:5::/:\n"}});
  shop.plan.image.files = {{"passwd", "/etc/passwd", ""}};
  const RootFilesystem root = shop.compose();
  CHECK(root.at("etc/passwd").origin == "files, passwd");
  CHECK(root.contains("etc/group"));
}

TEST_CASE("files and folders of the tree are mapped with normalised modes") {
  Workshop shop;
  write_tree(shop.tree, {{"config/a.toml", "a"}, {"config/sub/b.toml", "b"}, {"run.sh", "#!"}, {".git/HEAD", "x"}});
  ::chmod((shop.tree / "config/a.toml").c_str(), 0600);
  ::chmod((shop.tree / "run.sh").c_str(), 0700);
  make_folders(shop.tree / "config/empty");
  shop.plan.image.files = {
      {"config/", "/etc/app", ""}, {"run.sh", "/opt/", ""}, {"./config/a.toml", "/opt/secret", "0600"}};
  const RootFilesystem root = shop.compose();
  CHECK(root.at("etc/app/a.toml").mode == 0644);
  CHECK(root.at("opt/run.sh").mode == 0755);
  CHECK(root.at("opt/secret").mode == 0600);
  CHECK(root.contains("etc/app/empty"));
  CHECK(root.contains("etc/app/sub/b.toml"));
  CHECK(root.at("etc/app/a.toml").group == Entry::Group::configuration);
  CHECK(root.at("opt/run.sh").group == Entry::Group::asset);
  CHECK(root.at("etc/app/a.toml").origin == "files, config/a.toml");
  shop.plan.image.files = {{"./", "/", ""}};
  CHECK(paths_of(shop.compose()) ==
        "config config/a.toml config/empty config/sub config/sub/b.toml etc etc/group etc/passwd run.sh tmp");
}

TEST_CASE("paths with spaces, line ends and bytes that are no UTF-8 are mapped") {
  Workshop shop;
  write_tree(shop.tree, {{"with space", "1"}, {"line\nend", "2"}, {"latin-\xe9", "3"}, {"ünïcode", "4"}});
  shop.plan.image.files = {{".", "/srv", ""}};
  const RootFilesystem root = shop.compose();
  const fs::path out = shop.around.path() / "out";
  make_folders(out);
  output_of({"tar", "-xf", shop.tar_of(shop.write(root)), "-C", out});
  CHECK(read_file(out / "srv/with space") == "1");
  CHECK(read_file(out / "srv/line\nend") == "2");
  CHECK(read_file(out / "srv/latin-\xe9") == "3");
  CHECK(read_file(out / "srv/ünïcode") == "4");
}

TEST_CASE("ignored files stay out, and `!` takes one back") {
  Workshop shop;
  write_tree(shop.tree,
             {{"docs/a.md", ""}, {"docs/keep.md", ""}, {"src/x.o", ""}, {"src/deep/y.o", ""}, {"src/x.c", ""}});
  shop.plan.image.files = {{".", "/", ""}};
  const auto mapped = [&](std::vector<std::string> ignore) {
    shop.plan.image.ignore = std::move(ignore);
    std::vector<std::string> paths;
    for (const auto& [path, entry] : shop.compose()) {
      if (entry.origin.starts_with("files, ") && std::holds_alternative<File>(entry.node)) paths.push_back(path);
    }
    return join(paths, " ");
  };
  CHECK(mapped({}) == "docs/a.md docs/keep.md src/deep/y.o src/x.c src/x.o");
  CHECK(mapped({"docs"}) == "src/deep/y.o src/x.c src/x.o");
  CHECK(mapped({"/docs/", "**/*.o"}) == "src/x.c");
  CHECK(mapped({"docs/**", "!docs/keep.md"}) == "docs/keep.md src/deep/y.o src/x.c src/x.o");
}

TEST_CASE("a link that leaves the tree is refused by name, one that stays is kept as it is") {
  Workshop shop;
  write_tree(shop.tree, {{"site/index.html", "x"}, {"site/sub/page", "y"}, {"shared", "z"}});
  fs::create_symlink("../index.html", shop.tree / "site/sub/home");
  shop.plan.image.files = {{"site/", "/srv", ""}};
  CHECK(std::get<Link>(shop.compose().at("srv/sub/home").node).target == "../index.html");
  CHECK(shop.warnings().empty());

  fs::create_symlink("../shared", shop.tree / "site/out");
  shop.compose();
  CHECK(shop.warnings() ==
        std::vector<std::string>{"the link `/srv/out` points to `../shared`, which is not in the image"});

  fs::create_symlink("../../../etc/passwd", shop.tree / "site/sub/evil");
  CHECK(error_of([&] { shop.compose(); }) ==
        "the link `site/sub/evil` leads out of the source tree; it points to `../../../etc/passwd`");
  fs::remove(shop.tree / "site/sub/evil");
  fs::create_symlink("/etc/passwd", shop.tree / "site/absolute");
  CHECK(error_of([&] { shop.compose(); }).starts_with("the link `site/absolute` leads out of the source tree"));
  fs::remove(shop.tree / "site/absolute");
  fs::create_directory_symlink("/etc", shop.tree / "etc");
  shop.plan.image.files = {{"etc/", "/srv", ""}};
  CHECK(error_of([&] { shop.compose(); }) == "the link `etc/` leads out of the source tree; it points to `/etc`");
}

TEST_CASE("mappings from outside or to nowhere are refused") {
  Workshop shop;
  write_tree(shop.tree, {{"a", "x"}});
  const auto refusal = [&](plan::FileMapping mapping) {
    shop.plan.image.files = {std::move(mapping)};
    return error_of([&] { shop.compose(); });
  };
  CHECK(refusal({"../a", "/a", ""}) == "the source `../a` of `/a` lies outside of the source tree");
  CHECK(refusal({"/etc/passwd", "/a", ""}) == "the source `/etc/passwd` of `/a` lies outside of the source tree");
  CHECK(refusal({"missing", "/a", ""}) == "cannot read `missing` in the source tree: no such file or directory");
  CHECK(refusal({"a", "srv/a", ""}) == "the path `srv/a` of `a` must be absolute");
  CHECK(refusal({"a", "/srv/../../a", ""}) ==
        "`/srv/../../a` cannot be a path in the image: it has `..` in it; it comes from files, a");
  CHECK(refusal({"a", "/.wh.a", ""}) ==
        "`/.wh.a` cannot be a path in the image: names that begin with `.wh.` mark removals in layers; it comes from "
        "files, a");
  CHECK(refusal({"a", "/a", "999"}) == "the mode `999` of `/a` is not an octal number up to 7777");
}

TEST_CASE("a pipe in the tree is left out with a warning") {
  Workshop shop;
  REQUIRE(::mkfifo((shop.tree / "pipe").c_str(), 0600) == 0);
  shop.plan.image.files = {{".", "/srv", ""}};
  CHECK_FALSE(shop.compose().contains("srv/pipe"));
  CHECK(shop.warnings() == std::vector<std::string>{"`pipe` is left out of the image: it is no file, folder or link"});
}

TEST_CASE("two origins of one path are an error that names both") {
  Workshop shop;
  shop.program("/bin/app", "one");
  shop.program("/bin/app", "two").origin = "step link";
  CHECK(error_of([&] { shop.compose(); }) ==
        "`/bin/app` in the image has two origins; one is step compile app; the other is step link");
  shop.artifacts.pop_back();
  shop.program("/bin/app", "one");
  CHECK_NOTHROW(shop.compose());  // the same content, a shared library of two programs say
  shop.program("/bin/app/below", "x");
  CHECK(error_of([&] { shop.compose(); }) ==
        "`/bin/app` must be a folder and is none; it comes from step compile app; `/bin/app/below` below it comes from "
        "step compile below");
}

TEST_CASE("a program that changed since it was built is an error") {
  Workshop shop;
  const plan::Artifact& artifact = shop.program("/bin/app", "one");
  write_file(artifact.file, "longer");
  CHECK(error_of([&] { shop.compose(); }) ==
        cat("`", artifact.file.native(), "` changed after it was built; it had 3 bytes and has 6"));
}

TEST_CASE("slices are stable first, one for each program, and merge into what they came from") {
  Workshop shop;
  shop.program("/bin/two", "2");
  shop.program("/bin/one", "1");
  shop.program("/lib/libx.so", "x").kind = plan::Artifact::Kind::dependency;
  write_tree(shop.tree, {{"conf", "c"}, {"assets/a", "a"}});
  shop.plan.image.files = {{"conf", "/etc/app/conf", ""}, {"assets/", "/srv", ""}};
  shop.plan.image.workdir = "/srv";
  const RootFilesystem root = shop.compose();
  const std::vector<Slice> slices = partition(root);
  std::vector<std::string> names;
  RootFilesystem merged;
  std::map<std::string, int> times;
  for (const Slice& slice : slices) {
    names.push_back(slice.name);
    for (const auto& [path, entry] : slice.entries) {
      merged.insert_or_assign(path, entry);
      const bool is_folder = std::holds_alternative<Folder>(entry.node);
      if (!is_folder) CHECK(++times[path] == 1);
      for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        CHECK(slice.entries.contains(path.substr(0, slash)));
      }
    }
  }
  CHECK(join(names, ", ") == "base, dependencies, assets, program one, program two, configuration");
  CHECK(paths_of(merged) == paths_of(root));
  for (const auto& [path, entry] : root) CHECK(summary(merged.at(path)) == summary(entry));
  CHECK(slices[3].entries.size() == 2);
}
