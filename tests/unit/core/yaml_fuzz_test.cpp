// Whatever a file holds, reading it ends in an experiment or in an InputError. Mutates good
// experiments with a fixed seed for about three seconds, or THIMBLE_FUZZ_SECONDS.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/experiment/sweep.hpp>

#include "support/world.hpp"

namespace thimble::yaml_fuzz_test {
namespace {

const std::vector<std::string> kSeeds{
    R"(name: quickstart
schema: 1
seed: 7
search_space: { use: nasbench201, channels: 4, cells: 1 }
dataset: { use: synthetic, samples: 2000 }
proxies:
  - { use: ntk, batch: 8, net: narrow }
  - { use: linear_regions, as: regions, batch: 16 }
hardware: { use: analytic, board: nucleo_f746zg }
objectives:
  - { minimize: ntk, weight: 1 }
  - { maximize: regions, weight: 0.5 }
  - { minimize: latency_ms, weight: 0 }
limits: { board: true, macs: 1e8, latency_ms: 120.5 }
searcher: { use: pruning, drop: [none] }
budget: { evaluations: 40 }
sweep:
  - row: unconstrained
    limits.board: false
  - { row: 'weight {objectives.latency_ms.weight}', objectives.latency_ms.weight: [0.5, 1] }
report:
  baseline: unconstrained
  columns: [latency_ms, ntk]
  published: [{row: paper, latency_ms: 3.2}]
)",
    R"(name: small
search_space:
  use: nasbench201
  stem: true
dataset:
  use: synthetic
  classes: 10
proxies:
  - use: ntk
    coupling: frozen
    net:
      channels: 2
      cells: 1
benchmark:
  file: "nats.csv"
  accuracy: 'cifar10'
searcher: { use: random, samples: 3 }
sweep: { seed: [1, 2, 3] }
)",
    "name: counts\nsearch_space: {use: nasbench201}\nobjectives: [{minimize: macs}]\n"
    "searcher: {use: exhaustive, most: 20000}\n"};

const std::vector<std::string> kTokens{"name",
                                       "use",
                                       "as",
                                       "net",
                                       "null",
                                       "~",
                                       "true",
                                       "no",
                                       "010",
                                       "1e999",
                                       "-1",
                                       ".nan",
                                       "",
                                       "[",
                                       "]",
                                       "{",
                                       "}",
                                       ": ",
                                       ", ",
                                       "- ",
                                       "\n",
                                       "  ",
                                       "\t",
                                       "#",
                                       "&a ",
                                       "*a",
                                       "<<: ",
                                       "!t ",
                                       "? ",
                                       "---",
                                       "...",
                                       "|\n",
                                       ">\n",
                                       "'",
                                       "\"",
                                       "\\",
                                       "%",
                                       "@",
                                       "\r",
                                       "\xc3",
                                       "\xef\xbb\xbf",
                                       "\xff",
                                       std::string(1, '\0'),
                                       "9223372036854775808",
                                       "2147483648",
                                       "synthetic",
                                       "nasbench201",
                                       "ntk",
                                       "random",
                                       "pruning",
                                       "exhaustive",
                                       "macs",
                                       "sweep",
                                       "seed",
                                       "proxies.ntk.batch",
                                       "objectives.0",
                                       "{use: ntk}",
                                       "[[[[[[[[",
                                       "{{{{{{{{",
                                       "? ? ? ?",
                                       "- - - -"};

class Mutator {
 public:
  explicit Mutator(std::uint64_t key) : random_{key} {}

  std::string next() {
    std::string text = kSeeds[random_.below(kSeeds.size())];
    for (auto left = 1 + random_.below(6); left > 0; --left) mutate(text);
    return text;
  }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

 private:
  std::size_t place(const std::string& text) { return random_.below(text.size() + 1); }
  std::size_t span(const std::string& text, std::size_t at) {
    return random_.below(std::min<std::size_t>(text.size() - at, 24) + 1);
  }

  void mutate(std::string& text) {
    const std::size_t at = place(text);
    switch (random_.below(9)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random_.below(8)));
        break;
      case 1: text.erase(at, span(text, at)); break;
      case 2: text.insert(at, kTokens[random_.below(kTokens.size())]); break;
      case 3: text.replace(at, span(text, at), kTokens[random_.below(kTokens.size())]); break;
      case 4: text.resize(at); break;
      case 5: text.insert(at, 1, static_cast<char>(random_.below(256))); break;
      case 6: {  // one piece of the text over or into another place
        const std::size_t from = place(text);
        text.insert(at, text.substr(from, span(text, from)));
        break;
      }
      case 7: swap_words(text); break;
      default: {                                      // one line twice, or gone
        const auto begin = text.rfind('\n', at) + 1;  // npos + 1 is 0
        const auto end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin) + "\n";
        if (random_.below(2) == 0) {
          text.insert(begin, line);
        } else {
          text.erase(begin, end - begin);
        }
      }
    }
  }

  /// Two words, wherever they stand: mostly still YAML, and then wrong in meaning.
  void swap_words(std::string& text) {
    const auto word_at = [&](std::size_t at) {
      const auto begin = std::min(text.find_first_not_of(" \n:,{}[]", at), text.size());
      const auto end = std::min(text.find_first_of(" \n:,{}[]", begin), text.size());
      return std::pair{begin, end};
    };
    auto a = word_at(place(text)), b = word_at(place(text));
    if (a.first > b.first) std::swap(a, b);
    if (a.second > b.first) return;
    const std::string first = text.substr(a.first, a.second - a.first);
    const std::string second = text.substr(b.first, b.second - b.first);
    text.replace(b.first, b.second - b.first, first);
    text.replace(a.first, a.second - a.first, second);
  }

  Random random_;
};

constexpr int kMostForAGoodOne = 2000;

double seconds_to_run() {
  const char* const asked = std::getenv("THIMBLE_FUZZ_SECONDS");
  return asked != nullptr ? std::atof(asked) : 3;
}

void expect_words(const InputError& error) {
  ASSERT_FALSE(error.diagnostics().empty());
  for (const Diagnostic& problem : error.diagnostics()) EXPECT_FALSE(problem.message.empty());
}

TEST(ExperimentFuzz, EndsInAnExperimentOrAnInputError) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  PluginLoader loader = testing::plugins();
  MadePlugins plugins;
  Mutator mutator{20261120};
  int parsed = 0, made = 0, good = 0, tried = 0;
  // A slow build goes on until it has seen a good one.
  const auto goes_on = [&](double limit) {
    return passed() < limit || (good == 0 && tried < kMostForAGoodOne);
  };
  for (const double limit = seconds_to_run(); goes_on(limit); ++tried) {
    const std::string text = mutator.next();
    const double before = passed();
    try {
      const Value value = parse_yaml(text, "fuzz");
      ++parsed;
      // What could be read can be written, and reads the same again.
      const std::string written = to_yaml(value);
      ASSERT_EQ(to_yaml(parse_yaml(written, "written")), written) << text;
      const auto points = expand_sweep(value, {});
      if (mutator.below(4) == 0) {
        const SweepPoint& point = points[mutator.below(points.size())];
        Diagnostics problems;
        const Study study = make_study(point, loader, plugins, problems);
        ++made;
        problems.throw_if_any();
        ++good;
        // What is in force is an experiment again, with nothing left to say.
        Diagnostics again;
        const Study second =
            make_study(expand_sweep(parse_yaml(to_yaml(study.resolved), "resolved"), {}).at(0),
                       loader, plugins, again);
        again.throw_if_any();
        ASSERT_EQ(to_yaml(second.resolved), to_yaml(study.resolved)) << text;
      }
    } catch (const InputError& error) {
      expect_words(error);
    } catch (const std::exception& error) {
      FAIL() << "not an InputError: " << error.what() << "\n" << text;
    }
    ASSERT_LT(passed() - before, 20) << "took too long:\n" << text;
  }
  RecordProperty("tried", tried);
  RecordProperty("parsed", parsed);
  RecordProperty("made", made);
  RecordProperty("good", good);
  std::printf("%d texts, %d of them YAML, %d made into studies, %d of them good\n", tried, parsed,
              made, good);
  EXPECT_GT(parsed, 0);
  EXPECT_GT(good, 0) << "mutations must leave some experiments good, or nothing deep is tried";
}

}  // namespace
}  // namespace thimble::yaml_fuzz_test
