// One dependency as Python's packages name it (PEP 508): `uvicorn[standard]>=0.30 ; python_version >= "3.9"`.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace whittle::detectors {

struct PythonRequirement {
  std::string name;  // normalised: lower case, `-` between words
  std::set<std::string> extras;
  std::string specifier;  // ">=0.30,<1", empty: any
  std::string url;        // of `name @ url`
  std::string marker;
};

// "Flask_SQLAlchemy" → "flask-sqlalchemy" (PEP 503).
std::string python_name(std::string_view name);

// Throws Error(detector_failed) for a text that is none.
PythonRequirement parse_python_requirement(std::string_view text);

// `==1.2.3` alone.
bool is_exact(const PythonRequirement& requirement);

// As a line of a requirements file.
std::string text_of(const PythonRequirement& requirement);

// Poetry's ways to write versions, `^1.2`, `~1.2`, `1.*`, `*`, as PEP 440 has them: ">=1.2,<2".
std::string pep440_of_poetry(std::string_view constraint);

}  // namespace whittle::detectors
