// Python: conditions of dependencies, lock files, requirements, and how an application is started.
#include <doctest/doctest.h>

#include "base/text.hpp"
#include "detectors/python_lock.hpp"
#include "detectors/python_manifest.hpp"
#include "detectors/python_marker.hpp"
#include "detectors/requirements_file.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using namespace whittle::detectors;
using test::Files;
using test::Project;
using test::Strings;

namespace {

// The marker that is left of `text` on Linux when only the version of Python is open; "never" when it cannot hold.
std::string settled(const std::string& text, const std::string& platform = "linux/amd64") {
  const PythonMarker marker = PythonMarker::parse(text);
  std::set<PythonVersion> starts = {{3, 0, 0}};
  marker.add_starts(starts);
  const PythonRanges ranges{.starts = {starts.begin(), starts.end()}};
  const PythonCondition condition = marker.holds(ranges, platform);
  return never(condition) ? "never" : marker_text(condition, ranges);
}

const char* const kUvLock = R"(version = 1
requires-python = ">=3.9"

[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "uvicorn", extra = ["standard"] },
    { name = "tomli", marker = "python_full_version < '3.11'" },
]

[package.dev-dependencies]
dev = [{ name = "pytest" }]

[[package]]
name = "uvicorn"
version = "0.30.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "click" }, { name = "colorama", marker = "sys_platform == 'win32'" }]
sdist = { url = "https://files.pythonhosted.org/uvicorn-0.30.0.tar.gz", hash = "sha256:00" }
wheels = [{ url = "https://files.pythonhosted.org/uvicorn-0.30.0-py3-none-any.whl", hash = "sha256:01" }]

[package.optional-dependencies]
standard = [{ name = "uvloop", marker = "sys_platform != 'win32'" }]

[[package]]
name = "click"
version = "8.1.7"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.pythonhosted.org/click-8.1.7-py3-none-any.whl", hash = "sha256:02" }]

[[package]]
name = "colorama"
version = "0.4.6"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.pythonhosted.org/colorama-0.4.6-py3-none-any.whl", hash = "sha256:03" }]

[[package]]
name = "tomli"
version = "2.0.1"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.pythonhosted.org/tomli-2.0.1-py3-none-any.whl", hash = "sha256:04" }]

[[package]]
name = "uvloop"
version = "0.19.0"
source = { registry = "https://pypi.org/simple" }
wheels = [
    { url = "https://files.pythonhosted.org/uvloop-0.19.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", hash = "sha256:05" },
    { url = "https://files.pythonhosted.org/uvloop-0.19.0-cp311-cp311-macosx_10_9_x86_64.whl", hash = "sha256:06" },
    { url = "https://files.pythonhosted.org/uvloop-0.19.0-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", hash = "sha256:07" },
]

[[package]]
name = "pytest"
version = "8.0.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files.pythonhosted.org/pytest-8.0.0-py3-none-any.whl", hash = "sha256:08" }]
)";

LockedSelection selected(const PythonLock& lock, const std::string& platform = "linux/amd64") {
  return select_locked(lock, platform);
}

}  // namespace

TEST_CASE("a marker keeps only what depends on the version of Python") {
  CHECK(settled("") == "");
  CHECK(settled("sys_platform == 'win32'") == "never");
  CHECK(settled("sys_platform != 'win32' and platform_machine == 'x86_64'") == "");
  CHECK(settled("platform_machine == 'x86_64'", "linux/arm64") == "never");
  CHECK(settled("python_version < '3.11'") == R"(python_full_version < "3.11.0")");
  CHECK(settled("python_version <= '3.10'") == R"(python_full_version < "3.11.0")");
  CHECK(settled("python_version > '3.10'") == R"(python_full_version >= "3.11.0")");
  CHECK(settled("python_full_version < '3.11.3'") == R"(python_full_version < "3.11.3")");
  CHECK(settled("python_version == '3.9'") == R"(python_full_version >= "3.9.0" and python_full_version < "3.10.0")");
  CHECK(settled("'3.9' <= python_version") == R"(python_full_version >= "3.9.0")");
  CHECK(settled("python_version in '3.8, 3.9' or python_version >= '3.12'") ==
        R"(python_full_version >= "3.8.0" and python_full_version < "3.10.0" or python_full_version >= "3.12.0")");
  CHECK(settled("(python_version < '3.8' or os_name == 'posix') and implementation_name == 'cpython'") == "");
  CHECK(settled("extra == 'dev'") == "never");
}

TEST_CASE("what is no marker is refused with its text") {
  for (const char* text : {"python_version", "python_version <", "(os_name == 'posix'", "os_name == 'posix", "a b c"}) {
    CAPTURE(text);
    const Error error = test::error_of([&] { PythonMarker::parse(text); });
    CHECK(error.causes().back() == cat("`", text, "` is no environment marker"));
  }
  std::string deep(1000, '(');
  CHECK_THROWS_AS(PythonMarker::parse(deep), const Error&);
}

TEST_CASE("a lock of uv gives the packages that the project leads to") {
  const plan::MemoryTree tree(Files{{"uv.lock", kUvLock}});
  const PythonLock lock = read_uv_lock(tree, "uv.lock", "uv.lock", ".");
  CHECK(selected(lock).requirements == Strings{"click==8.1.7 --hash=sha256:02",
                                               R"(tomli==2.0.1 ; python_full_version < "3.11.0" --hash=sha256:04)",
                                               "uvicorn==0.30.0 --hash=sha256:01", "uvloop==0.19.0 --hash=sha256:05"});
  CHECK(selected(lock, "linux/arm64").requirements.back() == "uvloop==0.19.0 --hash=sha256:07");
}

TEST_CASE("a locked package without a wheel is named with its place and with what could take its place") {
  const char* const text = R"(version = 1
[[package]]
name = "shop"
source = { virtual = "." }
dependencies = [{ name = "psycopg2" }]

[[package]]
name = "psycopg2"
version = "2.9.9"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/psycopg2-2.9.9.tar.gz", hash = "sha256:00" }
wheels = [{ url = "https://files.pythonhosted.org/psycopg2-2.9.9-cp311-cp311-win_amd64.whl", hash = "sha256:01" }]
)";
  const plan::MemoryTree tree(Files{{"uv.lock", text}});
  const Error error = test::error_of([&] { selected(read_uv_lock(tree, "uv.lock", "uv.lock", ".")); });
  CHECK(error.where() == "uv.lock:7");
  CHECK(error.causes().back() ==
        "`psycopg2` 2.9.9 is locked without a wheel for linux/amd64, and whittle runs no build of packages; lock a "
        "version that has one, or use `psycopg2-binary`");
}

TEST_CASE("a lock of Poetry says by groups and markers, an older one by what leads to what") {
  const char* const grouped = R"([[package]]
name = "flask"
version = "3.0.0"
optional = false
groups = ["main"]
files = [{file = "flask-3.0.0-py3-none-any.whl", hash = "sha256:01"}, {file = "flask-3.0.0.tar.gz", hash = "sha256:02"}]

[[package]]
name = "importlib-metadata"
version = "7.0.0"
optional = false
groups = ["main"]
markers = "python_version < \"3.10\""
files = [{file = "importlib_metadata-7.0.0-py3-none-any.whl", hash = "sha256:03"}]

[[package]]
name = "pytest"
version = "8.0.0"
optional = false
groups = ["dev"]
files = [{file = "pytest-8.0.0-py3-none-any.whl", hash = "sha256:04"}]

[metadata]
lock-version = "2.1"
)";
  const plan::MemoryTree tree(Files{{"poetry.lock", grouped}});
  CHECK(selected(read_poetry_lock(tree, "poetry.lock", "poetry.lock", {})).requirements ==
        Strings{"flask==3.0.0 --hash=sha256:01",
                R"(importlib-metadata==7.0.0 ; python_full_version < "3.10.0" --hash=sha256:03)"});

  const char* const old = R"([[package]]
name = "Flask"
version = "2.0.0"
optional = false
[package.dependencies]
click = ">=7"
[package.extras]
dotenv = ["python-dotenv"]

[[package]]
name = "click"
version = "8.0.0"

[[package]]
name = "pytest"
version = "6.0.0"

[metadata]
lock-version = "1.1"
[metadata.files]
flask = [{file = "Flask-2.0.0-py3-none-any.whl", hash = "sha256:01"}]
click = [{file = "click-8.0.0-py3-none-any.whl", hash = "sha256:02"}]
pytest = [{file = "pytest-6.0.0-py3-none-any.whl", hash = "sha256:03"}]
)";
  const plan::MemoryTree before(Files{{"poetry.lock", old}});
  const PythonLock lock =
      read_poetry_lock(before, "poetry.lock", "poetry.lock", {parse_python_requirement("flask>=2")});
  CHECK(selected(lock).requirements == Strings{"click==8.0.0 --hash=sha256:02", "flask==2.0.0 --hash=sha256:01"});
}

TEST_CASE("locks of pdm, pipenv and the standard form leave development out") {
  const plan::MemoryTree tree(Files{{"pdm.lock", R"([metadata]
groups = ["default", "dev"]
[[package]]
name = "click"
version = "8.1.7"
groups = ["default"]
files = [{file = "click-8.1.7-py3-none-any.whl", hash = "sha256:01"}]
[[package]]
name = "ruff"
version = "0.1.0"
groups = ["dev"]
files = [{file = "ruff-0.1.0-py3-none-any.whl", hash = "sha256:02"}]
)"},
                                    {"Pipfile.lock", R"({"_meta": {"sources": [{"url": "https://pypi.org/simple"}]},
 "default": {"click": {"hashes": ["sha256:03", "sha256:04"], "version": "==8.1.7", "markers": "python_version >= '3.7'"}},
 "develop": {"ruff": {"hashes": ["sha256:05"], "version": "==0.1.0"}}})"},
                                    {"pylock.toml", R"(lock-version = "1.0"
[[packages]]
name = "click"
version = "8.1.7"
wheels = [{url = "https://x/click-8.1.7-py3-none-any.whl", hashes = {sha256 = "06"}}]
)"}});
  CHECK(selected(read_pdm_lock(tree, "pdm.lock", "pdm.lock", {})).requirements ==
        Strings{"click==8.1.7 --hash=sha256:01"});
  CHECK(selected(read_pipfile_lock(tree, "Pipfile.lock", "Pipfile.lock")).requirements ==
        Strings{R"(click==8.1.7 ; python_full_version >= "3.7.0" --hash=sha256:03 --hash=sha256:04)"});
  CHECK(selected(read_pylock(tree, "pylock.toml", "pylock.toml")).requirements ==
        Strings{"click==8.1.7 --hash=sha256:06"});
}

TEST_CASE("a lock cannot add words to pip's lines") {
  const plan::MemoryTree tree(Files{{"pylock.toml", R"(lock-version = "1.0"
[[packages]]
name = "click"
version = "8.1.7 --index-url=https://evil.example"
wheels = [{url = "https://x/click-8.1.7-py3-none-any.whl", hashes = {sha256 = "06"}}]
)"}});
  const Error error = test::error_of([&] { read_pylock(tree, "pylock.toml", "pylock.toml"); });
  CHECK(error.where() == "pylock.toml:2");
}

TEST_CASE("a lock that is cut anywhere is an error with its name, or a shorter lock") {
  for (std::size_t length = 0; length < std::string_view(kUvLock).size(); length += 7) {
    const plan::MemoryTree tree(Files{{"uv.lock", std::string(kUvLock).substr(0, length)}});
    CAPTURE(length);
    try {
      selected(read_uv_lock(tree, "uv.lock", "uv.lock", "."));
    } catch (const Error& error) {
      CHECK(error.where().starts_with("uv.lock"));
      CHECK(error.exit() == Exit::detector_failed);
    }
  }
}

TEST_CASE("requirements include other files, with digests and options") {
  const plan::MemoryTree tree(Files{{"requirements.txt", R"(# what serves
-r requirements/base.txt
flask[async]==3.0.0 ; python_version >= "3.8" \
    --hash=sha256:01 \
    --hash=sha256:02
--extra-index-url https://wheels.example/simple
-e ./lib
)"},
                                    {"requirements/base.txt", "-c ../constraints.txt\nclick>=8  # for people\n"},
                                    {"constraints.txt", "click==8.1.7\n"},
                                    {"lib/__init__.py", ""}});
  const RequirementsFile file = read_requirements(tree, "requirements.txt");
  REQUIRE(file.lines.size() == 2);
  CHECK(text_of(file.lines[0].requirement) == "click>=8");
  CHECK(file.lines[0].place == "requirements/base.txt:2");
  CHECK(text_of(file.lines[1].requirement) == R"(flask[async]==3.0.0 ; python_version >= "3.8")");
  CHECK(file.lines[1].digests == Strings{"sha256:01", "sha256:02"});
  CHECK(file.constraints == Strings{"click==8.1.7"});
  CHECK(file.options == Strings{"--extra-index-url", "https://wheels.example/simple"});
  CHECK(file.folders == Strings{"lib"});
  CHECK(file.files == Strings{"requirements.txt", "requirements/base.txt", "constraints.txt"});
}

TEST_CASE("requirements that include each other, or nothing that is there, are told with their lines") {
  const plan::MemoryTree circle(
      Files{{"requirements.txt", "flask\n-r a.txt\n"}, {"a.txt", "-r b.txt\n"}, {"b.txt", "\n-r a.txt\n"}});
  const Error round = test::error_of([&] { read_requirements(circle, "requirements.txt"); });
  CHECK(round.where() == "b.txt:2");
  CHECK(round.causes().back() == "these files include each other: a.txt → b.txt → a.txt");
  const plan::MemoryTree missing(Files{{"requirements.txt", "-r base.txt\n"}});
  const Error error = test::error_of([&] { read_requirements(missing, "requirements.txt"); });
  CHECK(error.where() == "requirements.txt:1");
  CHECK(error.causes().back() == "`base.txt` is not in the tree");
  const plan::MemoryTree source(Files{{"requirements.txt", "git+https://example.com/x.git#egg=x\n"}});
  CHECK(test::error_of([&] { read_requirements(source, "requirements.txt"); })
            .causes()
            .back()
            .find("would have to be built") != std::string::npos);
}

TEST_CASE("versions as Poetry and PEP 440 write them") {
  CHECK(pep440_of_poetry("^1.2.3") == ">=1.2.3,<2");
  CHECK(pep440_of_poetry("^0.2.3") == ">=0.2.3,<0.3");
  CHECK(pep440_of_poetry("~1.2") == ">=1.2,<1.3");
  CHECK(pep440_of_poetry("*") == "");
  CHECK(pep440_of_poetry("1.2.3") == "==1.2.3");
  CHECK(pep440_of_poetry(">=1, <3") == ">=1,<3");
  CHECK(python_constraint(">=3.9, !=3.9.7, <4") == ">=3.9,<4");
  CHECK(python_constraint("~=3.11") == ">=3.11,<4");
  CHECK(python_constraint("==3.11.*") == "=3.11");
}

TEST_CASE("a step of Python asks for the network alone where packages are fetched") {
  const plan::BuildPlan plan = Project(Files{{"requirements.txt", "flask==3.0.0\ngunicorn==22.0.0\n"},
                                             {"app.py", "from flask import Flask\napp = Flask(__name__)\n"}})
                                   .plan();
  REQUIRE(plan.steps.size() == 2);
  CHECK(plan.steps[0].network);
  CHECK(plan.steps[0].inputs == Strings{"requirements.txt"});
  CHECK_FALSE(plan.steps[1].network);
  CHECK(plan.steps[1].inputs == Strings{"**"});
  CHECK(plan.link == "closure");
  CHECK(plan.image.workdir == "/app");
}

TEST_CASE("an image for another machine is refused before anything runs") {
  Project project(Files{{"requirements.txt", ""}, {"main.py", ""}});
  project.platform = "linux/arm64";
  project.host = "linux/amd64";
  const Error error = project.error();
  CHECK(error.exit() == Exit::detector_failed);
  CHECK(error.causes().back() ==
        "an image of Python for linux/arm64 takes the interpreter of such a machine, and this one is linux/amd64; "
        "build it there");
}

TEST_CASE("what .dockerignore names is not copied into the image") {
  const plan::BuildPlan plan = Project(Files{{"main.py", ""}, {".dockerignore", "data/\n!data/keep\n"}}).plan();
  CHECK(plan.steps.back().files.at("python/ignored") == "data/\n!data/keep");
}
