// XML as elements with line numbers. Entities beyond the five of XML itself are refused: nothing is expanded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace whittle {

struct XmlElement {
  std::string name;  // without the prefix of its namespace
  std::string text;  // its own, without what its children hold; trimmed
  int line = 0;      // counted from 1
  std::vector<XmlElement> children;

  // The first child of that name, or along a path of names ("build/plugins"); null when there is none.
  const XmlElement* child(std::string_view path) const;
  // The text there; empty when there is none.
  std::string text_of(std::string_view path) const;
  // The first element of that name anywhere below.
  const XmlElement* descendant(std::string_view wanted) const;
};

// The outermost element. `what` names the file in the error, which gives the line. Nesting over 64 levels is refused.
XmlElement parse_xml(std::string_view text, std::string_view what, int exit_code = 2);

}  // namespace whittle
