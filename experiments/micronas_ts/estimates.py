"""What a table and a line through MACs say of latency, against execution: RUN is a folder of estimates.yaml's."""
import csv
import sys

latency_ms, macs = {"1": {}, "2": {}}, {}
with open(sys.argv[1] + "/candidates.csv", newline="") as file:
    for row in csv.DictReader(file):
        latency_ms[row["point"]][row["arch"]] = float(row["latency_ms"])
        macs[row["arch"]] = float(row["macs"])
executed = latency_ms["2"]
networks = sorted(executed.keys() & latency_ms["1"].keys())
mean = sum(executed[n] for n in networks) / len(networks)
spread = sum((executed[n] - mean) ** 2 for n in networks)
mean_macs = sum(macs[n] for n in networks) / len(networks)
slope = sum((macs[n] - mean_macs) * (executed[n] - mean) for n in networks) / sum(
    (macs[n] - mean_macs) ** 2 for n in networks
)


def compare(name, estimate):
    """R2, the mean of absolute errors, and the largest relative one."""
    errors = [abs(estimate(n) - executed[n]) for n in networks]
    r2 = 1 - sum(e * e for e in errors) / spread
    worst = max(e / executed[n] for e, n in zip(errors, networks))
    print(f"{name}: R2 {100 * r2:.4f} %, mean error {sum(errors) / len(errors):.3f} ms, at most {100 * worst:.3f} %")


print(f"{len(networks)} networks, {min(executed.values()):.1f} to {max(executed.values()):.1f} ms when executed")
compare("table", lambda n: latency_ms["1"][n])
compare("line through MACs", lambda n: mean + slope * (macs[n] - mean_macs))
