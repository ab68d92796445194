#pragma once

// A Slurm of its own for a test: munged, slurmctld and three slurmd on this machine, with all that
// they have in a temporary folder. As Debian's packages slurmctld, slurmd, slurm-client, munge have
// them.

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>

#include "program.hpp"

namespace thimble::testing {

class Slurm {
 public:
  Slurm() {
    for (const char* const name : {"munged", "slurmctld", "slurmd", "sbatch", "scontrol"})
      if (!find_program(name)) {
        missing_ = fmt::format("there is no {}: scripts/setup slurm gets it", name);
        return;
      }
    if (::getuid() != 0) {
      missing_ = "slurmd must be root to start jobs";
      return;
    }
    start();
  }
  ~Slurm() {
    if (!missing_.empty()) return;
    command("scancel --full --user=root");
    for (int i = 0; i < 100 && !trimmed(command("squeue --noheader").output).empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    shell("for file in *.pid; do kill $(cat $file); done; sleep 0.5", folder_.path());
  }
  Slurm(const Slurm&) = delete;
  Slurm& operator=(const Slurm&) = delete;

  /// Why there is none, or nothing.
  const std::string& missing() const { return missing_; }
  /// For programs that are to use it.
  std::string environment() const {
    return "SLURM_CONF='" + (folder_.path() / "slurm.conf").string() + "'";
  }
  Finished command(const std::string& line) const {
    return shell("export " + environment() + "\n" + line, folder_.path());
  }
  /// As a power cut: the daemon, and all that it has started.
  void kill_node(const std::string& node) const {
    command("node=" + node + R"(
      steps=$(for step in $(pgrep -f '^slurmstepd: '); do
        environ=/proc/$(pgrep -P $step | head -1)/environ
        grep -qz "^SLURM_CONF=$SLURM_CONF" $environ 2>/dev/null &&
          grep -qz "^SLURMD_NODENAME=$node$" $environ && echo $step
      done)
      kill -9 $(cat slurmd-$node.pid) $steps $(for step in $steps; do pgrep -P $step; done))");
  }
  /// Slurm holds what it has taken back for two minutes. A test need not wait for that.
  void start_pending() const {
    command(
        "for job in $(squeue --noheader --states=pending --format=%i -r); do "
        "scontrol update jobid=$job starttime=now; done");
  }
  void start_node(const std::string& node) const { command("slurmd -c -N " + node); }

 private:
  void start() {
    const std::string here = folder_.path().string();
    const int port = 20'000 + 10 * (::getpid() % 3000);
    write_file(folder_.path() / "slurm.conf",
               fmt::format(
                   "ClusterName=thimble\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort={1}\n"
                   "SlurmUser=root\nSlurmdUser=root\nAuthType=auth/munge\n"
                   "AuthInfo=socket={0}/munge.socket\nCryptoType=crypto/munge\n"
                   "StateSaveLocation={0}/ctl\nSlurmdSpoolDir={0}/spool-%n\n"
                   "SlurmctldPidFile={0}/slurmctld.pid\nSlurmdPidFile={0}/slurmd-%n.pid\n"
                   "SlurmctldLogFile={0}/slurmctld.log\nSlurmdLogFile={0}/slurmd-%n.log\n"
                   "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n"
                   "JobAcctGatherType=jobacct_gather/none\nSchedulerType=sched/backfill\n"
                   "SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nMpiDefault=none\n"
                   "ReturnToService=2\nSlurmdTimeout=5\nInactiveLimit=0\nKillWait=5\nJobRequeue=1\n"
                   "MaxArraySize=5\n"
                   "SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,"
                   "requeue_delay=1\n"
                   "NodeName=n[1-3] NodeHostname={2} NodeAddr=127.0.0.1 Port=[{3}-{4}] CPUs=2 "
                   "RealMemory=1000\n"
                   "PartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP\n",
                   here, port, trimmed(shell("hostname -s", here).output), port + 1, port + 3));
    command(
        "mkdir ctl spool-n1 spool-n2 spool-n3\n"
        "head -c 1024 /dev/urandom > munge.key; chmod 400 munge.key\n"
        "munged --force --key-file=$PWD/munge.key --socket=$PWD/munge.socket "
        "--pid-file=$PWD/munged.pid --log-file=$PWD/munged.log --seed-file=$PWD/munge.seed\n"
        "slurmctld -c; for node in n1 n2 n3; do slurmd -N $node; done");
    for (int i = 0; i < 300; ++i) {
      if (trimmed(command("sinfo --noheader --states=idle --format=%D").output) == "3") return;
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    missing_ = "Slurm does not start: " + command("sinfo; tail -3 slurmctld.log").output;
  }

  TemporaryFolder folder_;
  std::string missing_;
};

}  // namespace thimble::testing
