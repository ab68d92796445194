#pragma once

/// Marks what leaves libthimble.so. Everything else is built with hidden visibility.
#define THIMBLE_EXPORT __attribute__((visibility("default")))
