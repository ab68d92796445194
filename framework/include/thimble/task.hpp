#pragma once

/// Everything a task plugin needs.
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/plugin/registrar.hpp>
#include <thimble/train/loss.hpp>
#include <thimble/train/task.hpp>
