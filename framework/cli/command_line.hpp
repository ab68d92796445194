#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli.hpp"

namespace thimble::cli {

/// The command line: one subcommand each, and what to call for it.
class CommandLine {
 public:
  /// `data_folder`: where data sets are unless --data names another place.
  explicit CommandLine(std::string data_folder);

  /// Returns an exit code where there is nothing to call: help was asked for, or something is
  /// wrong, which is printed.
  std::optional<int> parse(int count, const char* const* arguments);
  const std::string& data_folder() const noexcept { return data_; }
  /// Runs the command that was parsed.
  int call(const World& world) const { return command_(world); }

 private:
  /// "run " once a command is known, for the note.
  std::string asked_command() const;
  /// CLI11's words, or better ones for what nobody expected.
  std::string reason(const CLI::ParseError& error) const;
  CLI::App* add(const std::string& name, const std::string& what,
                std::function<int(const World&)> command);
  void add_data(CLI::App* sub);
  static CLI::Option* add_jobs(CLI::App* sub, int& jobs, const char* what);
  void add_experiment(CLI::App* sub, std::string& experiment, std::vector<std::string>& overrides);
  void add_run();
  static void add_arithmetic(CLI::App* sub, std::string& arithmetic);
  static void add_device(CLI::App* sub, std::string& device);
  static void add_engine(CLI::App* sub, EngineArguments& arguments);
  void add_work();
  void add_farm();
  void add_report();
  void add_check();
  void add_score();
  void add_deploy();
  void add_train();
  void add_evaluate();
  static void add_experiment_or_run(CLI::App* sub, std::string& experiment,
                                    std::vector<std::string>& overrides);
  static CLI::Option* add_number(CLI::App* sub, std::optional<std::int64_t>& number);
  /// A network of an experiment, or of a run.
  void add_network(CLI::App* sub, NetworkArguments& network);
  static void add_weights(CLI::App* sub, NetworkArguments& network);
  void add_plugins();
  void add_new();
  void add_profile();
  void add_profile_on_board(CLI::App* sub, CLI::Option* core);
  void add_calibrate();
  void add_import();

  CLI::App app_{
      "thimble finds neural networks that fit a microcontroller, without training the "
      "candidates.",
      "thimble"};
  std::function<int(const World&)> command_;
  RunArguments run_;
  WorkArguments work_;
  FarmArguments farm_;
  ReportArguments report_;
  CheckArguments check_;
  ScoreArguments score_;
  TrainArguments train_;
  EvaluateArguments evaluate_;
  DeployArguments deploy_;
  ProfileArguments profile_;
  CalibrateArguments calibrate_;
  ImportArguments import_;
  std::string data_;
  std::vector<std::string> rows_;  ///< of a sweep; they become an override
  std::string kind_, name_, shell_ = "bash";
  NewArguments new_;
  bool as_markdown_ = false;
};

}  // namespace thimble::cli
