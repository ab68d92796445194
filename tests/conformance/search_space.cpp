// Laws of search spaces.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>

#include <thimble/core/yaml.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/pruning.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/space/search_space.hpp>

#include "subject.hpp"

namespace thimble::conformance {
namespace {

constexpr int kGenotypes = 50;

/// Everything that makes two graphs the same network.
std::string text_of(const Graph& graph) {
  std::string text;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    text += graph.name(id) + " " + name_of(node.op) + " " + to_string(node.shape) + " of";
    for (const NodeId input : graph.inputs(id)) text += " " + std::to_string(input);
    text += "\n";
  }
  return text + "output " + std::to_string(graph.output());
}

class SearchSpaceLaws : public testing::Test {
 protected:
  void SetUp() override {
    space_ = make<SearchSpace>();
    decisions_ = space_->decisions();
    Random random = Random::stream(1, {"conformance"});
    for (int i = 0; i < kGenotypes; ++i) genotypes_.push_back(random_genotype(decisions_, random));
  }

  bool contains(const Genotype& genotype) const {
    if (genotype.size() != decisions_.size()) return false;
    for (std::size_t i = 0; i < genotype.size(); ++i) {
      if (decisions_[i].nearest(genotype[i]) != genotype[i]) return false;
    }
    return true;
  }

  std::unique_ptr<SearchSpace> space_;
  std::vector<Decision> decisions_;
  std::vector<Genotype> genotypes_;
};

TEST_F(SearchSpaceLaws, HasDecisionsWithDifferentNamesAndSomethingToDecide) {
  EXPECT_FALSE(decisions_.empty());
  std::set<std::string> names;
  for (const Decision& decision : decisions_) {
    EXPECT_FALSE(decision.name.empty());
    EXPECT_TRUE(names.insert(decision.name).second) << decision.name;
    const std::set<std::string> options(decision.options.begin(), decision.options.end());
    EXPECT_EQ(options.size(), decision.options.size()) << "equal options in " << decision.name;
    EXPECT_EQ(decision.type == Decision::Type::categorical, !decision.options.empty());
    EXPECT_LE(decision.least, decision.most);
  }
}

TEST_F(SearchSpaceLaws, BuildsEveryGenotype) {
  const Graph first = space_->build(genotypes_.front());
  const Shape outputs = first.node(first.output()).shape;
  for (const Genotype& genotype : genotypes_) {
    const Graph graph = space_->build(genotype);
    EXPECT_FALSE(graph.is_supernet()) << space_->encode(genotype);
    EXPECT_EQ(graph.node(0).op, Op::input);
    EXPECT_GE(macs(graph), 0);
    EXPECT_GE(params(graph), 0);
    EXPECT_EQ(graph.node(graph.output()).shape, outputs) << space_->encode(genotype);
    if (!is_connected(graph)) continue;
    EXPECT_NO_THROW(deployed(graph)) << space_->encode(genotype);
  }
}

TEST_F(SearchSpaceLaws, BuildsTheSameNetworkForTheSameGenotype) {
  const auto again = make<SearchSpace>();
  for (const Genotype& genotype : genotypes_) {
    const std::string text = text_of(space_->build(genotype));
    EXPECT_EQ(text_of(space_->build(genotype)), text);
    EXPECT_EQ(text_of(again->build(genotype)), text);
  }
}

TEST_F(SearchSpaceLaws, NamesTheNodesOfANetworkDifferently) {
  for (const Genotype& genotype : genotypes_) {
    const Graph graph = space_->build(genotype);
    std::set<std::string> names;
    for (NodeId id = 0; id < graph.size(); ++id)
      EXPECT_TRUE(names.insert(graph.name(id)).second) << graph.name(id);
  }
}

TEST_F(SearchSpaceLaws, ReadsWhatItWrites) {
  for (const Genotype& genotype : genotypes_) {
    const std::string text = space_->encode(genotype);
    EXPECT_EQ(space_->decode(text), genotype) << text;
    EXPECT_EQ(space_->encode(space_->decode(text)), text);
    EXPECT_EQ(text.find_first_of("\n\t\""), std::string::npos)
        << "hard to keep in a table: " << text;
  }
}

TEST_F(SearchSpaceLaws, WritesDifferentGenotypesDifferently) {
  const std::set<Genotype> different(genotypes_.begin(), genotypes_.end());
  std::set<std::string> texts;
  for (const Genotype& genotype : different) texts.insert(space_->encode(genotype));
  EXPECT_EQ(texts.size(), different.size());
}

TEST_F(SearchSpaceLaws, RefusesWhatItDidNotWriteWithAnError) {
  const std::string good = space_->encode(genotypes_.front());
  std::vector<std::string> texts{"",
                                 " ",
                                 "garbage",
                                 ",,,",
                                 "|||",
                                 "+",
                                 "=",
                                 "a=b",
                                 std::string(3, '\0'),
                                 std::string(100000, 'x'),
                                 good + good};
  for (std::size_t i = 0; i < good.size(); ++i) {
    texts.push_back(good.substr(0, i));
    texts.push_back(good.substr(i + 1));
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] + 1);
    texts.push_back(changed);
    changed[i] = static_cast<char>(0xFF);
    texts.push_back(changed);
  }
  for (const std::string& text : texts) {
    try {
      const Genotype read = space_->decode(text);
      EXPECT_TRUE(contains(read)) << text;  // by chance it may say something
    } catch (const Error& error) {
      EXPECT_FALSE(error.diagnostics().front().message.empty());
    } catch (const std::exception& error) {
      ADD_FAILURE() << "'" << text << "' gives no thimble::Error: " << error.what();
    }
  }
}

TEST_F(SearchSpaceLaws, CanonicalGenotypeStandsForItselfToo) {
  for (const Genotype& genotype : genotypes_) {
    const Genotype canonical = space_->canonical(genotype);
    EXPECT_TRUE(contains(canonical)) << space_->encode(genotype);
    EXPECT_EQ(space_->canonical(canonical), canonical) << space_->encode(genotype);
  }
}

TEST_F(SearchSpaceLaws, CanonicalGenotypeComputesTheSame) {
  for (const Genotype& genotype : genotypes_) {
    const Graph graph = space_->build(genotype);
    const Graph canonical = space_->build(space_->canonical(genotype));
    ASSERT_EQ(is_connected(canonical), is_connected(graph)) << space_->encode(genotype);
    EXPECT_EQ(canonical.node(canonical.output()).shape, graph.node(graph.output()).shape);
  }
}

TEST_F(SearchSpaceLaws, SupernetHasTheSameDecisionsAndHoldsEveryNetwork) {
  const Graph* const supernet = space_->supernet();
  if (supernet == nullptr) GTEST_SKIP() << "it has no supernet";
  EXPECT_TRUE(supernet->is_supernet());
  ASSERT_EQ(supernet->decisions().size(), decisions_.size());
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    EXPECT_EQ(decisions_[i].type, Decision::Type::categorical) << decisions_[i].name;
    EXPECT_EQ(supernet->decisions()[i].name, decisions_[i].name);
    EXPECT_EQ(supernet->decisions()[i].options, decisions_[i].options);
  }
  for (const Genotype& genotype : genotypes_)
    EXPECT_EQ(text_of(resolved(*supernet, options_of(genotype))), text_of(space_->build(genotype)));
}

TEST_F(SearchSpaceLaws, PrunesTheWholeNetworkToTheOneItBuilds) {
  const bool prunes = space_->unpruned(genotypes_.front()).has_value();
  for (const Genotype& genotype : genotypes_) {
    const auto whole = space_->unpruned(genotype);
    ASSERT_EQ(whole.has_value(), prunes) << space_->encode(genotype);
    if (!whole) continue;
    ASSERT_TRUE(is_connected(whole->graph)) << space_->encode(genotype);
    EXPECT_EQ(live(whole->graph).size(), whole->graph.size()) << space_->encode(genotype);
    const Coupling coupling = coupled_channels(whole->graph);
    EXPECT_EQ(text_of(pruned(whole->graph, coupling, whole->sparsity).graph),
              text_of(space_->build(genotype)));
  }
}

TEST_F(SearchSpaceLaws, ProfilesHaveTheSameDecisions) {
  for (const auto& [name, yaml] : subject().type.profiles) {
    SCOPED_TRACE("profile " + name);
    const auto profile = make<SearchSpace>(parse_yaml(yaml, "profile " + name));
    EXPECT_TRUE(profile->decisions() == decisions_);
    EXPECT_EQ(profile->supernet() == nullptr, space_->supernet() == nullptr);
    for (const Genotype& genotype : genotypes_) EXPECT_NO_THROW(profile->build(genotype));
  }
}

TEST_F(SearchSpaceLaws, ServesTwoThreadsAtOnce) {
  const auto fresh = make<SearchSpace>();  // nothing is kept in it yet
  std::atomic<bool> is_same = true;
  on_two_threads([&](std::size_t thread) {
    for (std::size_t i = 0; i < genotypes_.size(); ++i) {
      const Genotype& genotype = genotypes_[(i + thread) % genotypes_.size()];
      const Genotype canonical = fresh->canonical(genotype);
      if (fresh->decode(fresh->encode(genotype)) != genotype) is_same = false;
      if (fresh->canonical(canonical) != canonical) is_same = false;
      if (text_of(fresh->build(genotype)) != text_of(space_->build(genotype))) is_same = false;
    }
  });
  EXPECT_TRUE(is_same);
}

}  // namespace
}  // namespace thimble::conformance
