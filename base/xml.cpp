#include "base/xml.hpp"

#include <algorithm>
#include <pugixml.hpp>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

constexpr int kDeepest = 64;

int line_at(std::string_view text, std::ptrdiff_t offset) {
  const auto end = std::clamp<std::ptrdiff_t>(offset, 0, static_cast<std::ptrdiff_t>(text.size()));
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + end, '\n'));
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view what, int exit_code) : text_(text), what_(what), exit_(exit_code) {}

  XmlElement read() {
    if (const std::size_t entity = text_.find("<!ENTITY"); entity != std::string_view::npos) {
      throw problem(static_cast<std::ptrdiff_t>(entity), "it declares entities, and none are expanded");
    }
    pugi::xml_document document;
    const pugi::xml_parse_result result =
        document.load_buffer(text_.data(), text_.size(), pugi::parse_default | pugi::parse_trim_pcdata);
    if (!result) throw problem(result.offset, lower(result.description()));
    const pugi::xml_node root = document.document_element();
    if (!root) throw problem(0, "there is no element in it");
    const pugi::xml_node second =
        document.find_child([&](const pugi::xml_node& node) { return is_element(node) && node != root; });
    if (second) throw problem(second.offset_debug(), "there is more than one outermost element");
    return element(root, 0);
  }

 private:
  static bool is_element(const pugi::xml_node& node) { return node.type() == pugi::node_element; }

  Error problem(std::ptrdiff_t offset, std::string why) const {
    Error error(static_cast<Exit>(exit_), cat("cannot read ", backticked(what_)));
    return error.at(cat(what_, ":", line_at(text_, offset))).cause(std::move(why));
  }

  // Lines are counted onwards: elements come in their order in the text.
  int line_of(const pugi::xml_node& node) {
    const auto offset =
        std::clamp<std::ptrdiff_t>(node.offset_debug(), counted_, static_cast<std::ptrdiff_t>(text_.size()));
    line_ += static_cast<int>(std::count(text_.begin() + counted_, text_.begin() + offset, '\n'));
    counted_ = offset;
    return line_;
  }

  XmlElement element(const pugi::xml_node& node, int depth) {
    if (depth > kDeepest) throw problem(node.offset_debug(), "its elements are nested too deeply");
    const std::string_view name = node.name();
    XmlElement out;
    out.name = name.substr(name.rfind(':') + 1);
    out.line = line_of(node);
    for (const pugi::xml_node& inner : node.children()) {
      if (is_element(inner)) {
        out.children.push_back(element(inner, depth + 1));
      } else if (inner.type() == pugi::node_pcdata || inner.type() == pugi::node_cdata) {
        out.text += inner.value();
      }
    }
    out.text = trim(out.text);
    return out;
  }

  std::string_view text_, what_;
  int exit_;
  std::ptrdiff_t counted_ = 0;
  int line_ = 1;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view path) const {
  const std::size_t slash = path.find('/');
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const XmlElement& one) { return one.name == path.substr(0, slash); });
  if (found == children.end()) return nullptr;
  return slash == std::string_view::npos ? &*found : found->child(path.substr(slash + 1));
}

std::string XmlElement::text_of(std::string_view path) const {
  const XmlElement* found = child(path);
  return found == nullptr ? "" : found->text;
}

const XmlElement* XmlElement::descendant(std::string_view wanted) const {
  for (const XmlElement& one : children) {
    if (one.name == wanted) return &one;
    if (const XmlElement* found = one.descendant(wanted)) return found;
  }
  return nullptr;
}

XmlElement parse_xml(std::string_view text, std::string_view what, int exit_code) {
  return Reader(text, what, exit_code).read();
}

}  // namespace whittle
