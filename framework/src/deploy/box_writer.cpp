#include "box_writer.hpp"

#include <span>
#include <vector>

#include <fmt/format.h>

#include <thimble/deploy/found_boxes.hpp>
#include "box_head.hpp"
#include "c_text.hpp"

namespace thimble {
namespace {

/// No kernel: it is no layer, and counts of layers do not hang on it.
constexpr const char* kFindBoxes = R"c(
/* Boxes of the last map: its best cells, less those that overlap a better one. */
struct box_anchor {
  int32_t width; /* in sixteenths of a pixel, as all lengths */
  int32_t height;
};

struct box_head {
  const uint16_t* share;    /* 1 / (1 + e^-t) of an output by its bits, of 32768 */
  const uint16_t* presence; /* the same of whether something is there */
  const struct box_anchor* anchors;
  int32_t anchor_count;
  int32_t classes;
  int32_t values; /* of an anchor */
  int32_t rows;
  int32_t columns;
  int32_t width; /* of the input */
  int32_t height;
  int32_t least_score;  /* of 32768 */
  int32_t most_overlap; /* of 65536 */
};

enum { kMostBoxes = @MOST@ };

INLINE int32_t box_share(const uint16_t* table, int8_t value) { return table[(uint8_t)value]; }

INLINE int32_t box_end(int64_t place, int32_t end) {
  return place < 0 ? 0 : place > end ? end : (int32_t)place;
}

KERNEL int32_t box_score(const struct box_head* head, const int8_t* values, int32_t* label) {
  const int32_t score = box_share(head->presence, values[4]);
  *label = 0;
  if (head->classes < 2) return score;
  values += 5;
  for (int32_t i = 1; i < head->classes; ++i)
    if (values[i] > values[*label]) *label = i;
  return (int32_t)((int64_t)score * box_share(head->share, values[*label]) >> 15);
}

INLINE int64_t box_centre(int32_t share, int32_t cell, int32_t size, int32_t cells) {
  return ((int64_t)4 * share - 32768 + (int64_t)65536 * cell) * size / ((int64_t)65536 * cells);
}

INLINE int64_t box_extent(int32_t share, int32_t anchor) {
  return (int64_t)share * share * anchor >> 28;
}

KERNEL void place_box(const struct box_head* head, const int8_t* values, int32_t row,
                      int32_t column, const struct box_anchor* anchor, struct thimble_box* box) {
  const int64_t width = box_extent(box_share(head->share, values[2]), anchor->width);
  const int64_t height = box_extent(box_share(head->share, values[3]), anchor->height);
  const int64_t left =
      box_centre(box_share(head->share, values[0]), column, head->width, head->columns) - width / 2;
  const int64_t top =
      box_centre(box_share(head->share, values[1]), row, head->height, head->rows) - height / 2;
  box->left = box_end(left, head->width);
  box->top = box_end(top, head->height);
  box->right = box_end(left + width, head->width);
  box->bottom = box_end(top + height, head->height);
}

KERNEL int32_t boxes_overlap(const struct thimble_box* a, const struct thimble_box* b,
                             int32_t most) {
  const int32_t left = a->left > b->left ? a->left : b->left;
  const int32_t top = a->top > b->top ? a->top : b->top;
  const int32_t right = a->right < b->right ? a->right : b->right;
  const int32_t bottom = a->bottom < b->bottom ? a->bottom : b->bottom;
  if (a->label != b->label || left >= right || top >= bottom) return 0;
  const int64_t both = (int64_t)(right - left) * (bottom - top);
  const int64_t all = (int64_t)(a->right - a->left) * (a->bottom - a->top) +
                      (int64_t)(b->right - b->left) * (b->bottom - b->top) - both;
  return both * 65536 > most * all;
}

KERNEL int32_t find_boxes(const struct box_head* head, const int8_t* map,
                          struct thimble_box* found) {
  int32_t count = 0, kept = 0;
  for (int32_t row = 0; row < head->rows; ++row)
    for (int32_t column = 0; column < head->columns; ++column)
      for (int32_t anchor = 0; anchor < head->anchor_count; ++anchor, map += head->values) {
        int32_t label;
        const int32_t score = box_score(head, map, &label);
        if (score < head->least_score) continue;
        if (count == kMostBoxes && score <= found[count - 1].score) continue;
        int32_t place = count < kMostBoxes ? count++ : count - 1;
        for (; place > 0 && found[place - 1].score < score; --place)
          found[place] = found[place - 1];
        place_box(head, map, row, column, head->anchors + anchor, found + place);
        found[place].score = (uint16_t)score;
        found[place].label = (uint16_t)label;
      }
  for (int32_t i = 0; i < count; ++i) {
    int32_t overlaps = 0;
    for (int32_t j = 0; j < kept && !overlaps; ++j)
      overlaps = boxes_overlap(found + j, found + i, head->most_overlap);
    if (!overlaps) found[kept++] = found[i];
  }
  return kept;
}
)c";

constexpr const char* kDeclaration = R"c(
/* Something that was found: its corners in sixteenths of a pixel of the input, a score of 32768, and
 * its class. */
#ifndef THIMBLE_BOX
#define THIMBLE_BOX
struct thimble_box {
  int32_t left;
  int32_t top;
  int32_t right;
  int32_t bottom;
  uint16_t score;
  uint16_t label;
};
#endif

/* Behind the run and before the next input: sets where boxes are, the better first, and returns how
 * many there are, @MOST@ at most. They stay until the next call. */
)c";

std::string with_most(std::string text) {
  const std::string mark = "@MOST@";
  return text.replace(text.find(mark), mark.size(), fmt::to_string(kMostBoxes));
}

template <class Value>
std::string array(const char* type, const std::string& name, std::span<const Value> values) {
  std::vector<std::string> items;
  for (const Value value : values) items.push_back(fmt::to_string(value));
  return fmt::format("static const {} {}[{}] = {{\n{}}};\n", type, name, items.size(),
                     filled(items));
}

}  // namespace

void write_boxes(const Int8Network& network, const std::string& output, Parts& parts) {
  const BoxHead head = box_head_of(network);
  const std::string name = network.name;
  if (!parts.has_boxes) parts.constants += with_most(kFindBoxes);
  parts.has_boxes = true;
  parts.constants += array<std::uint16_t>("uint16_t", name + "_share", head.share) +
                     array<std::uint16_t>("uint16_t", name + "_presence", head.presence);
  std::vector<std::string> anchors;
  for (const BoxHead::Anchor& anchor : head.anchors)
    anchors.push_back(fmt::format("{{{}, {}}}", anchor.width, anchor.height));
  parts.constants += fmt::format("static const struct box_anchor {}_anchors[{}] = {{\n{}}};\n",
                                 name, anchors.size(), filled(anchors));
  Members members;
  members.set("share", name + "_share")
      .set("presence", name + "_presence")
      .set("anchors", name + "_anchors")
      .set("anchor_count", static_cast<std::int64_t>(anchors.size()))
      .set("classes", head.classes)
      .set("values", head.values)
      .set("rows", head.rows)
      .set("columns", head.columns)
      .set("width", head.width)
      .set("height", head.height)
      .set("least_score", head.least_score)
      .set("most_overlap", head.most_overlap);
  constexpr std::int64_t kTables = 1024, kAnchor = 8;
  parts.constant_bytes +=
      kTables + kAnchor * static_cast<std::int64_t>(anchors.size()) + members.bytes();
  parts.constants += fmt::format(
      "static const struct box_head {0}_head = {1};\nstatic struct thimble_box {0}_found[{2}];\n",
      name, members.text(), kMostBoxes);
  parts.declarations += with_most(kDeclaration) +
                        fmt::format("int32_t {}_boxes(const struct thimble_box **boxes);\n", name);
  parts.functions += fmt::format(
      "\nint32_t {0}_boxes(const struct thimble_box **boxes) {{\n  *boxes = {0}_found;\n"
      "  return find_boxes(&{0}_head, {1}, {0}_found);\n}}\n",
      name, output);
}

}  // namespace thimble
