#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>

/// What a report says in words, as Markdown: what stands in the columns, what latencies are worth,
/// and which network to take.
namespace thimble {

/// "NUCLEO-F446RE with thimble 4f1f2f21".
THIMBLE_EXPORT std::string runtime_text(const Target& target);

/// Whose code a point's latencies are of; nothing without hardware, or where it does not say.
THIMBLE_EXPORT std::string runtime_of(const PointOutcome& outcome);

/// Whether a search's result is the best by the weighted sum of ranks, as most searchers choose it.
THIMBLE_EXPORT bool is_best_by_ranks(const PointOutcome& outcome);

THIMBLE_EXPORT const std::string& origin_text(Origin origin);

/// "± 50 %, guessed", or of several points "± 8 to 50 %, fitted or guessed"; "exact, counted" where
/// there is no error. Nothing where there is no figure.
THIMBLE_EXPORT std::string error_text(const std::vector<Figure>& figures);

/// The runtime, and where the figure is a guess, why: "NUCLEO-F446RE with thimble 4f1f2f21: cycles
/// an instruction were fitted to CMSIS-NN 2021-12".
THIMBLE_EXPORT std::string provenance_text(const Target& target, const Figure& latency_ms);

/// A line for each of the columns that does not speak for itself, and one for each runtime.
THIMBLE_EXPORT std::string legend_text(const std::vector<PointOutcome>& outcomes,
                                       const std::vector<std::string>& columns);

/// One limit a metric, the lowest: an experiment may have one beside its board's.
THIMBLE_EXPORT std::vector<Limit> lowest_limits(const std::vector<Limit>& limits);
/// The metrics that any of the points limits, or data that it trains on.
THIMBLE_EXPORT std::vector<std::string> limited_metrics(const std::vector<PointOutcome>& outcomes);
/// The lowest of the limits on a metric; not a number where there is none.
THIMBLE_EXPORT double limit_of(const std::vector<Limit>& limits, const std::string& metric);

/// What is wrong with comparing rows whose latencies are of several runtimes, or nothing.
THIMBLE_EXPORT std::string mixed_runtimes(const std::vector<PointOutcome>& outcomes);

/// How large fronts are, and which networks to look at first, with the reason. Nothing for sweeps
/// of many points.
THIMBLE_EXPORT std::string choice_text(const std::vector<PointOutcome>& outcomes);

}  // namespace thimble
