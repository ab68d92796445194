// Trainings as experiments ask for them: the same bytes whatever the number of threads and however
// often they are killed, and what can be done with a trained network.

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>

#include <support/training_run.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/random.hpp>

namespace thimble::training_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::Command;
using testing::content;
using testing::Finished;
using ::testing::HasSubstr;
using testing::kTrain;
using ::testing::Not;
using testing::thimble_command;
using testing::TrainingRun;

TEST_F(TrainingRun, GivesTheSameBytesAtOneTwoAndFourJobs) {
  const std::string one = trained(folder(run(std::string{kTrain} + "--jobs 1 --output one")));
  EXPECT_EQ(trained(folder(run(std::string{kTrain} + "--jobs 2 --output two"))), one);
  EXPECT_EQ(trained(folder(run(std::string{kTrain} + "--jobs 4 --output four"))), one);
}

/// Which stand for themselves: a training on a device is none on the CPU, nor the other way round.
TEST_F(TrainingRun, TrainsByTheOperatorsOfDevices) {
  const std::string on_device = std::string{kTrain} + "--output devices --device plain ";
  const fs::path made = folder(run(on_device + "--jobs 1"));
  const std::string one = trained(made);
  EXPECT_THAT(one, HasSubstr(R"("device":"plain")"));
  const fs::path trainings = here_.path() / "devices" / "trainings";
  EXPECT_EQ(std::distance(fs::directory_iterator{trainings}, {}), 2);
  fs::remove_all(here_.path() / "devices");
  EXPECT_EQ(trained(folder(run(on_device + "--jobs 4"))), one);
  EXPECT_EQ(
      trained(folder(run(std::string{kTrain} + "--output farmed --engine local --device plain"))),
      one);
  EXPECT_NE(trained(folder(run(std::string{kTrain} + "--output devices"))), one);
  EXPECT_EQ(std::distance(fs::directory_iterator{trainings}, {}), 4);
}

/// Tables and weights are replaced, which is said, as is what they are of.
TEST_F(TrainingRun, SaysWhatItTrainedOn) {
  const fs::path made = folder(run(std::string{kTrain} + "--output devices --device plain"));
  EXPECT_THAT(content(made / "report.md"), HasSubstr("trained on device 'plain'"));
  EXPECT_THAT(content(made / "log.txt"), HasSubstr("trained on device 'plain'"));
  EXPECT_THAT(content(made / "resolved.yaml"), HasSubstr("# device plain\n"));
  const std::string network = made.string() + " --network 1";
  EXPECT_THAT(thimble_command("evaluate " + network, here_.path()).errors,
              HasSubstr("trained on device 'plain'"));
  EXPECT_THAT(thimble_command("train " + network + " --output other", here_.path()).errors,
              HasSubstr("the run trained on device 'plain', and this is on 'cpu'"));
  const fs::path replaced = folder(run(std::string{kTrain} + "--output devices --resume"));
  EXPECT_EQ(replaced, made);
  EXPECT_THAT(content(made / "report.md"), HasSubstr("on device 'plain' before"));
  EXPECT_THAT(content(made / "resolved.yaml"), HasSubstr("# device cpu\n"));
  EXPECT_THAT(content(folder(run(std::string{kTrain} + "--output devices --resume")) / "report.md"),
              Not(HasSubstr("device")));
}

TEST_F(TrainingRun, RefusesADeviceThatIsNotHere) {
  for (const char* const command :
       {"run small.yaml --device cuda:99", "train small.yaml --arch cnn_1d --device cuda:99",
        "run small.yaml --device gpu", "run small.yaml --engine local --device auto",
        "run small.yaml --engine local --device cuda:99", "run small.yaml --device cuda:-1",
        "run small.yaml --device cuda:999999", "check small.yaml --device cuda:99",
        "check small.yaml --device gpu", "check small.yaml --engine local --device auto"}) {
    const Finished refused = thimble_command(command, here_.path());
    EXPECT_EQ(refused.code, 2) << command;
    EXPECT_THAT(refused.errors, AllOf(HasSubstr("device"), HasSubstr("note"))) << command;
    EXPECT_FALSE(fs::exists(here_.path() / "runs")) << command;
  }
}

/// In the ramp, behind the removal, while integers learn, and between these.
TEST_F(TrainingRun, GoesOnAfterBeingKilledToTheSameBytes) {
  const std::string train =
      "'train={profile: series, epochs: 4, seeds: [1, 2], validation: 0.1, averaging: 0.9, "
      "prune: {begin: 0.1, end: 0.5, whole: false}, quantise: {method: qat, epochs: 3}}' ";
  const auto start = std::chrono::steady_clock::now();
  const std::string whole = trained(folder(run(train + "--output whole")));
  std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - start;
  Random random{7};
  int killed = 0;
#ifdef __SANITIZE_ADDRESS__
  constexpr int kAttempts = 1;  // each takes minutes there
#else
  constexpr int kAttempts = 20;
#endif
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string output = train + "--output broken" + std::to_string(attempt);
    const Command broken{"run small.yaml --quiet " + output, here_.path()};
    const auto moment = 0.8 * random.uniform() * lasted;
    std::this_thread::sleep_for(moment);
    broken.send(SIGKILL);
    if (broken.wait().code == 128 + SIGKILL)
      ++killed;
    else
      lasted = moment;  // the machine has got faster, or less busy
    ASSERT_EQ(trained(folder(run(output + " --resume"))), whole) << "attempt " << attempt;
  }
  EXPECT_GT(killed, kAttempts / 2) << "too few were still running when they were killed";
}

TEST_F(TrainingRun, IsAddedToASearchThatIsOver) {
  const fs::path searched = folder(run(""));
  EXPECT_FALSE(fs::exists(searched / "trained.csv"));
  const fs::path added = folder(run(std::string{kTrain} + "--resume"));
  EXPECT_EQ(added, searched);
  EXPECT_TRUE(fs::exists(searched / "trained.csv"));
  // And is taken away again.
  EXPECT_EQ(folder(run("--resume")), searched);
  EXPECT_FALSE(fs::exists(searched / "trained.csv"));
  EXPECT_FALSE(fs::exists(searched / "weights"));
}

TEST_F(TrainingRun, TellsAccuracyBesideTheCostsOfTheSameNetwork) {
  const fs::path made = folder(run(kTrain));
  const CsvTable trained = parse_csv(content(made / "trained.csv"), "trained.csv");
  const CsvTable candidates = parse_csv(content(made / "candidates.csv"), "candidates.csv");
  ASSERT_EQ(trained.rows.size(), 2U);
  for (const char* const metric : {"macs", "params", "latency_ms", "ram_bytes", "rom_bytes"})
    EXPECT_EQ(trained.rows[0][trained.column(metric)].text,
              candidates.rows[0][candidates.column(metric)].text);
  EXPECT_FALSE(trained.rows[0][trained.column("float_accuracy")].text.empty());
  EXPECT_THAT(content(made / "report.md"), HasSubstr("## Trained networks"));
}

TEST_F(TrainingRun, RanksProxiesByWhatWasTrained) {
  const fs::path made = folder(
      run("benchmark=trained 'train={profile: series, epochs: 1, seeds: [1, 2], networks: all}' "
          "'search_space={use: superblocks, families: [mbednet_1d], channels: 1, height: 128, "
          "width: 9, classes: 6}' 'proxies=[{use: naswot, batch: 8}]' "
          "'objectives=[{maximize: naswot}]' 'searcher={use: random, samples: 6}'"));
  const CsvTable candidates = parse_csv(content(made / "candidates.csv"), "candidates.csv");
  int with_accuracy = 0;
  for (const auto& row : candidates.rows)
    with_accuracy += row[candidates.column("accuracy")].text.empty() ? 0 : 1;
  EXPECT_GE(with_accuracy, 3);
  EXPECT_THAT(content(made / "analysis.csv"), HasSubstr("naswot,accuracy"));
}

TEST_F(TrainingRun, IsDeployedAndEvaluatedByNumber) {
  const std::string made = folder(run(kTrain)).string();
  const Finished deployed =
      thimble_command("deploy " + made + " --network 1 --output c", here_.path());
  EXPECT_EQ(deployed.code, 0) << deployed.errors;
  EXPECT_THAT(deployed.output, Not(HasSubstr("drawn")));
  const std::string trained_c = content(here_.path() / "c" / "network.c");
  EXPECT_EQ(
      thimble_command("deploy " + made + " --network 1 --output other --seed 2", here_.path()).code,
      0);
  EXPECT_NE(content(here_.path() / "other" / "network.c"), trained_c);
  const Finished drawn =
      thimble_command("deploy " + made + " --network 1 --output drawn --drawn", here_.path());
  EXPECT_THAT(drawn.output, HasSubstr("the weights are drawn"));
  const Finished tested =
      thimble_command("evaluate " + made + " --network 1 --output tables", here_.path());
  EXPECT_EQ(tested.code, 0) << tested.errors;
  EXPECT_THAT(tested.output, AllOf(HasSubstr("float"), HasSubstr("int8"), HasSubstr("60")));
  const CsvTable confusion =
      parse_csv(content(here_.path() / "tables" / "float_confusion.csv"), "confusion");
  int samples = 0;
  for (const auto& row : confusion.rows)
    for (std::size_t i = 1; i < row.size(); ++i) samples += std::stoi(row[i].text);
  EXPECT_EQ(samples, 60);
  const Finished nowhere =
      thimble_command("evaluate " + made + " --network 1 --output small.yaml/tables", here_.path());
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_EQ(nowhere.output, "") << "it is said before anything is computed";
}

TEST_F(TrainingRun, IsScoredByNumberAsByName) {
  const std::string made = folder(run("")).string();
  const Finished by_number = thimble_command("score " + made + " --network 1 --json", here_.path());
  EXPECT_EQ(by_number.code, 0) << by_number.errors;
  const Finished by_name =
      thimble_command("score small.yaml --arch network=cnn_1d --json", here_.path());
  EXPECT_EQ(by_number.output, by_name.output);
  for (const char* const wrong : {"small.yaml --network 1", ". --network 1"}) {
    const Finished finished = thimble_command(std::string{"score "} + wrong, here_.path());
    EXPECT_EQ(finished.code, 2);
    EXPECT_THAT(finished.errors, HasSubstr("note"));
  }
}

TEST_F(TrainingRun, SaysWhatIsNotTrained) {
  const std::string made = folder(run("")).string();
  for (const char* const command : {"deploy", "evaluate"}) {
    const Finished finished =
        thimble_command(std::string{command} + " " + made + " --network 1", here_.path());
    EXPECT_EQ(finished.code, 2);
    EXPECT_THAT(finished.errors, AllOf(HasSubstr("trained"), HasSubstr("note")));
    EXPECT_EQ(
        thimble_command(std::string{command} + " " + made + " --network 9", here_.path()).code, 2);
    EXPECT_EQ(thimble_command(std::string{command} + " . --network 1", here_.path()).code, 2);
  }
}

TEST_F(TrainingRun, TrainsOneNetworkByName) {
  const std::string command = std::string{"train small.yaml --arch cnn_1d "} + kTrain;
  const Finished trained = thimble_command(command, here_.path());
  ASSERT_EQ(trained.code, 0) << trained.errors;
  EXPECT_THAT(trained.output, HasSubstr("weights.safetensors"));
  // The same training is not repeated by a run.
  const fs::path made = folder(run(kTrain));
  const fs::path weights =
      here_.path() / trained.output.substr(
                         trained.output.find("runs/"),
                         trained.output.find(".safetensors") + 12 - trained.output.find("runs/"));
  EXPECT_EQ(content(weights), content(made / "weights" / "1-1.safetensors"));
}

/// As the run has trained it, also where nothing of that is left.
TEST_F(TrainingRun, TrainsANetworkOfARunByItsNumber) {
  const fs::path made = folder(run(kTrain));
  fs::remove_all(here_.path() / "runs/trainings");
  const Finished again =
      thimble_command("train " + made.string() + " --network 1 --seed 2 --quiet", here_.path());
  ASSERT_EQ(again.code, 0) << again.errors;
  const fs::path weights =
      here_.path() / again.output.substr(0, again.output.find(".safetensors") + 12);
  EXPECT_EQ(content(weights), content(made / "weights" / "1-2.safetensors"));
  const Finished more =
      thimble_command("train " + made.string() + " --network 1 --seed 7 --quiet", here_.path());
  EXPECT_EQ(more.code, 0) << "one that the run has not: " << more.errors;
  EXPECT_NE(more.output, again.output);
  const Finished none =
      thimble_command("train " + made.string() + " --network 2 --quiet", here_.path());
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.errors, HasSubstr("no network 2"));
}

TEST_F(TrainingRun, SaysThatNothingIsSaidOfTheTraining) {
  const std::string train = "train small.yaml --quiet --arch cnn_1d --seed 1 ";
  const std::string remark =
      "remark: there is no 'train' in small.yaml: training with every default";
  const Finished untold =
      thimble_command(train +
                          "'dataset={use: synthetic, channels: 1, height: 128, width: 9, "
                          "classes: 6, samples: 64, test_samples: 8}'",
                      here_.path());
  EXPECT_EQ(untold.code, 0) << untold.errors;
  EXPECT_THAT(untold.errors, HasSubstr(remark));
  EXPECT_THAT(thimble_command(train + kTrain, here_.path()).errors, Not(HasSubstr(remark)));
}

TEST_F(TrainingRun, TellsOfATrainingThatDivergesAndKeepsTheOthers) {
  const Finished finished =
      run("'train={profile: series, optimiser: sgd, epochs: 3, learning_rate: 1000, warm_up: 0, "
          "weight_decay: 10, seeds: [1]}'");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(content(folder_of(finished) / "trained.csv"), HasSubstr("not finite"));
}

/// Also where no proxy's value tells that something was computed.
TEST_F(TrainingRun, KeepsItsFolderWhereItCannotGoOn) {
  const fs::path made = folder(run(kTrain));
  fs::remove(made / "result.yaml");
  fs::remove_all(here_.path() / "runs/trainings");
  std::ofstream{here_.path() / "runs/trainings"} << "in the way";
  const Finished failed = run(std::string{kTrain} + "--resume");
  EXPECT_EQ(failed.code, 2) << failed.errors;
  EXPECT_TRUE(fs::exists(made / "trained.csv"));
}

TEST_F(TrainingRun, TrainsInFloatOnceForAllKindsOfIntegers) {
  folder(
      run("'train={profile: series, epochs: 1, seeds: [1], quantise: {}}' "
          "'sweep={train.quantise.method: [ptq, qat], train.quantise.epochs: 1}'"));
  EXPECT_EQ(std::distance(fs::directory_iterator{here_.path() / "runs/trainings"}, {}), 3);
}

TEST_F(TrainingRun, RemarksOnKeysWithoutEffect) {
  const auto remarks = [&](const std::string& train) {
    return thimble_command("check small.yaml 'train={" + train + "}'", here_.path()).output;
  };
  EXPECT_THAT(remarks("prune: {sparsity: 0}"),
              HasSubstr("remark: 'prune' takes no channels: its 'sparsity' is 0"));
  EXPECT_THAT(
      remarks("quantise: {epochs: 3, percentile: 99}"),
      AllOf(HasSubstr("remark: 'epochs' of 'quantise' changes nothing: it is for method: qat"),
            HasSubstr("remark: 'percentile' of 'quantise' changes nothing")));
  EXPECT_THAT(remarks("profile: series, augmentation: {crop: 7}"),
              HasSubstr("remark: 'crop' of 'augmentation' changes nothing: it is for images"));
  EXPECT_THAT(remarks("profile: images, augmentation: {noise: 0.1}"),
              HasSubstr("remark: 'noise' of 'augmentation' changes nothing: it is for series"));
  EXPECT_THAT(remarks("prune: {}, quantise: {method: qat, epochs: 3}"), Not(HasSubstr("nothing")));
}

TEST_F(TrainingRun, SaysThatThereIsNothingToMeasureBy) {
  const std::string train =
      "dataset.test_samples=0 'train={profile: series, epochs: 1, seeds: [1], prune: {whole: "
      "false}, "
      "quantise: {}}'";
  EXPECT_THAT(thimble_command("check small.yaml " + train, here_.path()).output,
              HasSubstr("remark: dataset 'synthetic' has no test samples: what is trained is not "
                        "measured"));
  EXPECT_THAT(content(folder(run(train)) / "trained.csv"),
              AllOf(HasSubstr("pruned_accuracy"), HasSubstr("int8_accuracy")));
}

/// Two channels for three are refused; another height or width is resized, which is said.
TEST_F(TrainingRun, RefusesChannelsThatTheNetworkDoesNotTake) {
  const auto with = [&](const std::string& data, const std::string& network) {
    return run("'dataset={use: synthetic, classes: 10, samples: 64, test_samples: 20, " + data +
               "}' 'search_space={use: zoo, networks: [resnet8]" + network +
               "}' 'train={epochs: 1, seeds: [1]}'");
  };
  const Finished two = with("channels: 2, height: 32, width: 32", "");
  EXPECT_EQ(two.code, 2) << two.errors;
  EXPECT_THAT(two.errors,
              HasSubstr("networks read 3x32x32, dataset 'synthetic' has 2x32x32\n  note: "));
  const Finished small = with("channels: 3, height: 20, width: 24", "");
  EXPECT_EQ(small.code, 0) << small.errors;
  EXPECT_THAT(content(folder_of(small) / "report.md"), HasSubstr("training resizes the 3x20x24"));
}

/// 432 KiB of RAM where the board has 128; the file says nothing of limits.
TEST_F(TrainingRun, RefusesANetworkThatExceedsTheBoardsMemory) {
  const std::string large =
      "'search_space={use: zoo, networks: [mcunet_in3]}' 'dataset={use: synthetic, channels: 3, "
      "height: 176, width: 176, classes: 1000, samples: 8, test_samples: 1}' 'hardware={use: "
      "analytic, board: nucleo_f446re}' 'train={epochs: 1, seeds: [1], networks: all}'";
  const Finished searched = run(large);
  EXPECT_EQ(searched.code, 3) << searched.errors;
  EXPECT_THAT(content(folder_of(searched) / "report.md"),
              HasSubstr("network 1 is not trained: ram_bytes"));
  const Finished named =
      thimble_command("train small.yaml --arch mcunet_in3 " + large, here_.path());
  EXPECT_EQ(named.code, 2);
  EXPECT_THAT(named.errors, HasSubstr("this network is beyond the limits: ram_bytes"));
  EXPECT_FALSE(fs::exists(here_.path() / "runs/trainings")) << "nothing was begun";
}

}  // namespace
}  // namespace thimble::training_test
