#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/farm/engine.hpp>

namespace thimble {

/// What Slurm is asked for, for each part: a user's settings for a cluster, which no result depends
/// on.
struct SlurmSettings {
  std::string partition, account, time, gres, constraint, memory;
  int cpus = 1;
  int parts_at_a_time = 0;
  std::vector<std::string> setup;
  std::vector<std::string> options;

  template <class Describe>
  static void describe(Describe& param) {
    param(&SlurmSettings::partition, "partition", "to run in; the cluster's own when left out");
    param(&SlurmSettings::account, "account", "to charge");
    param(&SlurmSettings::time, "time", "limit for a part, as in 4:00:00 or 1-12");
    param(&SlurmSettings::cpus, "cpus", "of a part, which are its --jobs, too").range(1, 1024);
    param(&SlurmSettings::memory, "memory", "of a part, as in 4G");
    param(&SlurmSettings::gres, "gres", "other resources of a node, as in gpu:1");
    param(&SlurmSettings::constraint, "constraint", "features of a node, as in skylake");
    param(&SlurmSettings::parts_at_a_time, "parts_at_a_time",
          "run at most so many; 0: as many as there is room for")
        .range(0, 1'000'000);
    param(&SlurmSettings::setup, "setup",
          "lines for the shell before thimble starts, as in module load gcc");
    param(&SlurmSettings::options, "options", "more options for sbatch, as in --qos=long");
  }
};

/// Strictly. Throws InputError with all that is wrong with the file.
THIMBLE_EXPORT SlurmSettings read_slurm_settings(const std::filesystem::path& file);

/// Array jobs of Slurm, through its commands.
class THIMBLE_EXPORT SlurmEngine final : public Engine {
 public:
  /// Throws InputError where there is no `sbatch`.
  explicit SlurmEngine(SlurmSettings settings);

  Submission submit(const Array& array) override;
  bool is_alive(const std::string& id) override;

  /// Has one program run when all these arrays have ended; the job's id.
  std::string submit_behind(const std::vector<std::string>& ids, const Array& program);
  /// The script, the arrays that so many parts make, and at most what they will cost; submits
  /// nothing. Slurm's words when it would refuse.
  std::string preview(const Array& array);

 private:
  std::vector<std::string> options_for(const Array& array) const;
  std::string sbatch(std::vector<std::string> options, const std::string& script,
                     const Array& array) const;
  std::size_t largest_array();

  SlurmSettings settings_;
  std::optional<std::size_t> largest_;
  std::map<std::string, std::chrono::steady_clock::time_point> ended_;
};

/// Seconds of a limit as Slurm writes it: minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S. Nothing for
/// what is none, or has no end.
THIMBLE_EXPORT std::optional<std::int64_t> slurm_seconds(const std::string& text);

/// Cores of an allocation as SLURM_JOB_CPUS_PER_NODE has them: 10 for "4(x2),2". Nothing for what
/// is none.
THIMBLE_EXPORT std::optional<std::int64_t> slurm_cpus(const std::string& text);

}  // namespace thimble
