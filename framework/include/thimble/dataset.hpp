#pragma once

/// Everything a dataset plugin needs.
#include <thimble/core/files.hpp>
#include <thimble/core/random.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/plugin/registrar.hpp>
