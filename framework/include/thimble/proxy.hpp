#pragma once

/// Everything a proxy plugin needs.
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/plugin/registrar.hpp>
