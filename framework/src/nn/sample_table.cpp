#include <thimble/nn/sample_table.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

[[noreturn]] void refuse_samples(const std::string& source, std::string message, std::string note) {
  throw InputError{Diagnostic{{source}, std::move(message), std::move(note)}};
}

/// The samples of each group, or of each class.
template <class Key>
std::map<Key, std::vector<std::int64_t>> by_key(const std::vector<Key>& keys) {
  std::map<Key, std::vector<std::int64_t>> samples;
  for (std::size_t i = 0; i < keys.size(); ++i)
    samples[keys[i]].push_back(static_cast<std::int64_t>(i));
  return samples;
}

std::vector<bool> by_name(const SampleList& list, const SplitRule& rule,
                          const std::string& source) {
  const std::set<std::string> known{list.groups.begin(), list.groups.end()};
  if (known.empty())
    refuse_samples(source, "'test_groups' without groups", "say which sample is of which group");
  for (const std::string& name : rule.test_groups)
    if (!known.contains(name))
      refuse_samples(source, "no sample is of the group " + in_quotes(name) + " of 'test_groups'",
                     "groups are " + join({known.begin(), known.end()}));
  std::vector<bool> is_test;
  for (const std::string& group : list.groups)
    is_test.push_back(std::ranges::count(rule.test_groups, group) > 0);
  return is_test;
}

/// Whole groups in random order, as long as they fit into the share.
std::vector<bool> by_group_draw(const SampleList& list, const SplitRule& rule) {
  const auto groups = by_key(list.groups);
  std::vector<std::vector<std::int64_t>> samples;
  for (const auto& [group, of_group] : groups) samples.push_back(of_group);
  std::vector<bool> is_test(list.labels.size());
  double left = rule.test_share * static_cast<double>(list.labels.size());
  Random random = Random::stream(static_cast<std::uint64_t>(rule.seed), {"test groups"});
  const auto count = std::ssize(samples);
  for (const std::int64_t group : random.sample(count, count)) {
    const auto& of_group = samples[at(group)];
    if (static_cast<double>(of_group.size()) > left) continue;
    left -= static_cast<double>(of_group.size());
    for (const std::int64_t sample : of_group) is_test[at(sample)] = true;
  }
  return is_test;
}

/// The share of each class.
std::vector<bool> by_sample_draw(const SampleList& list, const SplitRule& rule) {
  std::vector<bool> is_test(list.labels.size());
  Random random = Random::stream(static_cast<std::uint64_t>(rule.seed), {"test samples"});
  for (const auto& [label, samples] : by_key(list.labels)) {
    const auto count = std::ssize(samples);
    const auto wanted = std::llround(rule.test_share * static_cast<double>(count));
    for (const std::int64_t place : random.sample(count, wanted))
      is_test[at(samples[at(place)])] = true;
  }
  return is_test;
}

std::vector<bool> choose_test(const SampleList& list, const SplitRule& rule,
                              const std::string& source) {
  if (!list.is_test.empty()) return list.is_test;
  if (!rule.test_groups.empty()) return by_name(list, rule, source);
  return list.groups.empty() ? by_sample_draw(list, rule) : by_group_draw(list, rule);
}

/// A number for each feature out of a parameter that may name one for all, or none.
std::vector<double> for_each(const std::vector<double>& given, int features, double otherwise,
                             const char* name, const std::string& source) {
  if (given.empty()) return std::vector<double>(at(features), otherwise);
  if (given.size() == 1) return std::vector<double>(at(features), given.front());
  if (std::ssize(given) != features)
    refuse_samples(
        source,
        fmt::format("'{}' has {} numbers, and there are {} channels", name, given.size(), features),
        "one for each channel, or one for all");
  return given;
}

std::string why_no_test(const SampleList& list, const SplitRule& rule) {
  if (!list.is_test.empty() || rule.test_share == 0) return "";
  return list.groups.empty()
             ? ": no class is large enough for test_share"
             : ": no group is small enough for test_share; 'test_groups' names some";
}

}  // namespace

const std::vector<std::pair<std::string, Layout>>& names_of(Layout) {
  static const std::vector<std::pair<std::string, Layout>> kNames{{"channels", Layout::channels},
                                                                  {"rows", Layout::rows}};
  return kNames;
}

Shape series_shape(Layout layout, int sensors, int length) {
  return layout == Layout::channels ? Shape{sensors, 1, length} : Shape{1, length, sensors};
}

void require_class_names(const std::vector<std::string>& names, const std::string& source) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (trimmed(name).empty()) refuse_samples(source, "a class has no name", "name every class");
    if (trimmed(name).size() != name.size())
      refuse_samples(source, "the class " + in_quotes(name) + " has blanks around its name",
                     "take them away: nobody sees them, and they make another class");
    if (!is_cell_text(name))
      refuse_samples(source, "the class " + in_quotes(name) + " has control characters",
                     "take them away: tables and pages show its name in one line");
    if (!seen.insert(name).second)
      refuse_samples(source, "two classes are called " + in_quotes(name), "name each differently");
  }
}

std::vector<std::int64_t> number_labels(const std::vector<std::string>& texts,
                                        std::vector<std::string>& names) {
  if (names.empty()) {
    const std::set<std::string> found{texts.begin(), texts.end()};
    names.assign(found.begin(), found.end());
    if (std::ranges::all_of(names,
                            [](const auto& name) { return parse_integer(name).has_value(); }))
      std::ranges::sort(names, {}, [](const auto& name) { return *parse_integer(name); });
  }
  std::map<std::string, std::int64_t> numbers;
  for (const std::string& name : names)
    numbers.emplace(name, static_cast<std::int64_t>(numbers.size()));
  std::vector<std::int64_t> labels;
  for (const std::string& text : texts) {
    const auto found = numbers.find(text);
    labels.push_back(found == numbers.end() ? -1 : found->second);
  }
  return labels;
}

SampleTable::SampleTable(DatasetInfo info, SampleList list, const SplitRule& rule, Layout layout,
                         Scaling scaling, Read read, const std::string& source)
    : info_{std::move(info)},
      labels_{list.labels},
      features_{layout == Layout::rows ? info_.shape.width : info_.shape.channels},
      run_{layout == Layout::rows ? 1 : info_.shape.pixels()},
      read_{std::move(read)},
      scaling_{std::move(scaling)} {
  require_class_names(info_.class_names, source);
  if (scaling_.mean.empty() != scaling_.spread.empty())
    refuse_samples(source, "only one of 'mean' and 'spread' is given", "both, or neither");
  // Those that are for the training samples to say stay empty.
  scaling_.scale = for_each(scaling_.scale, features_, 1, "scale", source);
  scaling_.offset = for_each(scaling_.offset, features_, 0, "offset", source);
  if (!scaling_.mean.empty()) {
    scaling_.mean = for_each(scaling_.mean, features_, 0, "mean", source);
    scaling_.spread = for_each(scaling_.spread, features_, 1, "spread", source);
    if (std::ranges::any_of(scaling_.spread, [](double spread) { return spread <= 0; }))
      refuse_samples(source, "a 'spread' is not above 0", "nothing can be divided by it");
  }
  const std::set<std::string> names{list.groups.begin(), list.groups.end()};
  for (const std::string& group : list.groups)
    groups_.push_back(std::distance(names.begin(), names.find(group)));
  divide(choose_test(list, rule, source), source);
  if (test_.empty()) add_remark("no test samples" + why_no_test(list, rule));
  remark_on_absent_classes();
  said_ = fingerprint_of_what_is_said();
}

std::uint64_t SampleTable::fingerprint_of_what_is_said() const {
  std::uint64_t made = thimble::fingerprint(
      fmt::format("{} {} {} {} {} {}", to_string(info_.shape), static_cast<int>(info_.medium),
                  info_.classes, features_, run_, detail::one_line(write_params(scaling_))));
  for (const std::string& name : info_.class_names)  // results are told by them
    made = fingerprint_of_data(std::as_bytes(std::span{name}), made);
  for (const auto* const numbers : {&labels_, &groups_, &train_, &test_})
    made = fingerprint_of_data(std::as_bytes(std::span{*numbers}), made);
  return made;
}

std::uint64_t SampleTable::fingerprint() const {
  std::uint64_t made = said_;
  std::vector<float> values(at(info_.shape.elements()));
  for (std::int64_t sample = 0; sample < std::ssize(labels_); ++sample) {
    read_(sample, values);
    made = fingerprint_of_data(std::as_bytes(std::span{values}), made);
  }
  return made;
}

void SampleTable::divide(const std::vector<bool>& is_test, const std::string& source) {
  for (std::size_t i = 0; i < labels_.size(); ++i)
    (is_test[i] ? test_ : train_).push_back(static_cast<std::int64_t>(i));
  if (train_.empty())
    refuse_samples(source, "no sample is left to train with", "leave some out of the test part");
  info_.train_samples = std::ssize(train_);
  info_.test_samples = std::ssize(test_);
  std::set<std::int64_t> learned;
  for (const std::int64_t group : groups(Split::train)) learned.insert(group);
  for (const std::int64_t sample : test_)
    if (!groups_.empty() && learned.contains(groups_[at(sample)]))
      refuse_samples(
          source,
          fmt::format("the group of sample {} (the first is 0) is both in the training and in "
                      "the test part",
                      sample),
          "leave the groups out, or split by them with 'test_groups'");
}

void SampleTable::remark_on_absent_classes() {
  std::vector<bool> occurs(at(info_.classes));
  for (const std::int64_t label : labels(Split::train)) occurs[at(label)] = true;
  std::vector<std::string> absent;
  for (std::size_t i = 0; i < occurs.size(); ++i)
    if (!occurs[i])
      absent.push_back(info_.class_names.empty() ? std::to_string(i) : info_.class_names[i]);
  if (!absent.empty()) add_remark("no training sample of class " + join(absent));
}

void SampleTable::add_remark(const std::string& remark) {
  info_.remark += (info_.remark.empty() ? "" : "; ") + remark;
}

namespace {

/// What is done to the numbers of samples: times a gain, and a shift added, by their features.
class Normaliser {
 public:
  /// Features stand in turns, in runs of equally many numbers.
  Normaliser(const Scaling& scaling, std::size_t run, std::size_t elements) : run_{run} {
    const std::size_t features = scaling.mean.size();
    // Sensors side by side are runs of one number: with a gain for each number of a sample, one
    // plain loop goes over all of it.
    for (std::size_t i = 0; i < (run == 1 ? elements : features); ++i) {
      const std::size_t j = i % features;
      gains_.push_back(scaling.scale[j] / scaling.spread[j]);
      shifts_.push_back((scaling.offset[j] - scaling.mean[j]) / scaling.spread[j]);
    }
  }

  void operator()(std::span<float> values) const {
    const auto change = [&](float& number, std::size_t place) {
      number = static_cast<float>(number * gains_[place] + shifts_[place]);
    };
    if (run_ == 1) {
      for (std::size_t i = 0; i < values.size(); ++i) change(values[i], i);
      return;
    }
    for (std::size_t begin = 0; begin < values.size(); begin += run_) {
      const std::size_t feature = begin / run_ % gains_.size();
      for (float& number : values.subspan(begin, run_)) change(number, feature);
    }
  }

 private:
  std::size_t run_;
  std::vector<double> gains_;
  std::vector<double> shifts_;
};

}  // namespace

Samples SampleTable::batch(Split split, std::span<const std::int64_t> indices) const {
  const at::NoGradGuard no_grad;
  std::call_once(is_known_, [this] {
    if (scaling_.mean.empty()) take_statistics();
  });
  const auto& samples = samples_of(split);
  const auto count = std::ssize(indices);
  const Shape& shape = info_.shape;
  Samples found{at::empty({count, shape.channels, shape.height, shape.width}, at::kFloat),
                at::empty({count}, at::kLong)};
  const Normaliser normalise{scaling_, at(run_), at(shape.elements())};
  auto* value = found.images.data_ptr<float>();
  auto* label = found.labels.data_ptr<std::int64_t>();
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= std::ssize(samples))
      throw Error{
          fmt::format("there is no sample {}, the last is {}", index, std::ssize(samples) - 1)};
    const std::int64_t sample = samples[at(index)];
    const std::span<float> values{value, at(shape.elements())};
    read_(sample, values);
    normalise(values);
    *label++ = labels_[at(sample)];
    value += shape.elements();
  }
  return found;
}

std::vector<std::int64_t> SampleTable::labels(Split split) const {
  std::vector<std::int64_t> found;
  for (const std::int64_t sample : samples_of(split)) found.push_back(labels_[at(sample)]);
  return found;
}

std::vector<std::int64_t> SampleTable::groups(Split split) const {
  std::vector<std::int64_t> found;
  if (groups_.empty()) return found;
  for (const std::int64_t sample : samples_of(split)) found.push_back(groups_[at(sample)]);
  return found;
}

template <class Work>
void SampleTable::for_each_feature(std::span<float> values, const Work& work) const {
  const auto run = at(run_);
  for (std::size_t begin = 0, feature = 0; begin < values.size(); begin += run) {
    work(feature, values.subspan(begin, run));
    if (++feature == at(features_)) feature = 0;
  }
}

void SampleTable::take_statistics() const {
  // Sums of differences from the first value: those of the values lose digits far from 0.
  const auto features = at(features_);
  std::vector<double> first(features), sum(features), squares(features);
  std::vector<float> values(at(info_.shape.elements()));
  read_(train_.front(), values);
  for_each_feature(values, [&](std::size_t f, std::span<float> run) { first[f] = run.front(); });
  for (const std::int64_t sample : train_) {
    read_(sample, values);
    for_each_feature(values, [&](std::size_t f, std::span<float> run) {
      for (const double value : run) {
        sum[f] += value - first[f];
        squares[f] += (value - first[f]) * (value - first[f]);
      }
    });
  }
  const double count = static_cast<double>(info_.train_samples * info_.shape.elements()) /
                       static_cast<double>(features);
  for (std::size_t f = 0; f < features; ++f) {
    const double offset = sum[f] / count;
    const double variance = squares[f] / count - offset * offset;
    scaling_.mean.push_back((first[f] + offset) * scaling_.scale[f] + scaling_.offset[f]);
    const double spread = std::sqrt(std::max(variance, 0.0)) * std::abs(scaling_.scale[f]);
    scaling_.spread.push_back(spread > 0 ? spread : 1);  // what never changes says nothing
  }
}

}  // namespace thimble
