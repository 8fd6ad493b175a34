#include "cli/image_source.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace whittle;

TEST_CASE("an image argument is a store name, a layout or an archive") {
  const TemporaryFolder folder("/tmp");
  const std::string layout = folder.path().native();
  CHECK(std::get<cli::StoreName>(cli::parse_image_name("edge/sensor:1")).reference.tag == "1");
  CHECK(std::get<cli::ArchiveName>(cli::parse_image_name("archive:a:b.tar")).file == "a:b.tar");
  CHECK(std::get<cli::LayoutName>(cli::parse_image_name("oci:" + layout)).folder == layout);
}

TEST_CASE("a layout's folder and image name may both hold colons") {
  const TemporaryFolder parent("/tmp");
  const fs::path folder = parent.path() / "a:b";
  make_folders(folder);
  const auto name = std::get<cli::LayoutName>(cli::parse_image_name("oci:" + folder.native() + ":host:5000/app:1"));
  CHECK(name.folder == folder);
  CHECK(name.name == "host:5000/app:1");
}

TEST_CASE("a layout that is not there is an error that names it") {
  CHECK_THROWS_WITH_AS(cli::parse_image_name("oci:/nowhere/at/all"), "there is no OCI layout at `/nowhere/at/all`",
                       Error);
}

TEST_CASE("the store keeps names with a tag") {
  CHECK(cli::store_name(oci::Reference::parse("edge/sensor")) == "edge/sensor:latest");
  CHECK(cli::store_name(oci::Reference::parse("localhost:5000/a:2")) == "localhost:5000/a:2");
}
