#include "host_check.hpp"

#include <numeric>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/deploy/found_boxes.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/train/training_data.hpp>

namespace thimble::cli {
namespace {

/// A line of an image: how many boxes it has, and their numbers.
std::string line_of(std::span<const FoundBox> boxes) {
  std::string line = fmt::format("{}", boxes.size());
  for (const FoundBox& box : boxes)
    line += fmt::format(" {} {} {} {} {} {}", box.left, box.top, box.right, box.bottom, box.score,
                        box.label);
  return line + "\n";
}

/// Reads inputs until there are no more; writes outputs, and a line of each input's boxes.
std::string program_of(const Int8Network& network) {
  const std::string boxes = network.boxes ? fmt::format(R"(    const struct thimble_box *found;
    const int32_t count = {}_boxes(&found);
    fprintf(boxes, "%d", (int)count);
    for (int32_t i = 0; i < count; ++i)
      fprintf(boxes, " %d %d %d %d %d %d", (int)found[i].left, (int)found[i].top,
              (int)found[i].right, (int)found[i].bottom, found[i].score, found[i].label);
    fprintf(boxes, "\n");
)",
                                                        network.name)
                                          : "";
  return fmt::format(
      "#include <stdio.h>\n#include \"{0}.h\"\n"
      R"(int main(void) {{
  FILE *in = fopen("inputs", "rb"), *out = fopen("outputs", "wb"), *boxes = fopen("boxes", "w");
  if (!in || !out || !boxes) return 1;
  while (fread({0}_input(), 1, {1}, in) == {1}) {{
    {0}_run();
    fwrite({0}_output(), 1, {2}, out);
{3}  }}
  return fclose(in) | fclose(out) | fclose(boxes);
}}
)",
      network.name, network.tensor(0).shape.elements(),
      network.tensor(network.output).shape.elements(), boxes);
}

struct Expected {
  std::string inputs;
  std::string outputs;
  std::string boxes;
  HostCheck counts;
};

Expected expected_of(const Int8Network& network, const Study& study) {
  const TrainingData data{*study.dataset, network.tensor(0).shape, 0, study.seed};
  const std::int64_t samples = data.info().test_samples;
  Expected all;
  for (std::int64_t i = 0; i < samples; ++i) {
    const at::Tensor image = data.batch(Split::test, {&i, 1}).images[0];
    const auto input = quantised(image, network.tensor(0).quantisation);
    const auto output = run_reference(network, input)[static_cast<std::size_t>(network.output)];
    all.inputs.append(input.begin(), input.end());
    all.outputs.append(output.begin(), output.end());
    ++all.counts.samples;
    if (!network.boxes) continue;
    const auto boxes = found_boxes(network, output);
    all.boxes += line_of(boxes);
    all.counts.boxes += std::ssize(boxes);
  }
  return all;
}

void run_here(const std::string& name, const std::filesystem::path& program,
              const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
  const ProcessLimits limits{.time = std::chrono::minutes{30}};
  const ProcessResult result = run_process(program, arguments, folder, limits);
  if (!result.succeeded()) throw Error{failure_text(name, result, limits)};
}

}  // namespace

HostCheck check_on_host(const Int8Network& network, const CSource& source, const Study& study) {
  const auto compiler = find_program("cc");
  if (!compiler) throw Error{"there is no cc here", "apt-get install gcc, or take a core: m7"};
  const Expected expected = expected_of(network, study);
  const TemporaryFolder folder;
  write_file(folder.path() / (network.name + ".c"), source.source);
  write_file(folder.path() / (network.name + ".h"), source.header);
  write_file(folder.path() / "main_on_host.c", program_of(network));
  write_file(folder.path() / "inputs", expected.inputs);
  run_here("cc", *compiler,
           {"-std=c99", "-O2", network.name + ".c", "main_on_host.c", "-o", "program_on_host"},
           folder.path());
  run_here("the program", folder.path() / "program_on_host", {}, folder.path());
  if (read_file(folder.path() / "outputs") != expected.outputs)
    throw Error{"the C puts out other values on this machine than the reference does"};
  if (read_file(folder.path() / "boxes") != expected.boxes)
    throw Error{"the C finds other boxes on this machine than the reference does"};
  return expected.counts;
}

}  // namespace thimble::cli
