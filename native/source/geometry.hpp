// A convolution as XLA describes it, and its arrays as oneDNN describes them.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "oneapi/dnnl/dnnl.hpp"

namespace jcnn {

using Dims = std::vector<int64_t>;

// Channels last: x (N, *S, C_in), w (*F, C_in / groups, C_out), y (N, *O, C_out).
struct Geometry {
  Dims x, w, y;
  Dims stride, before, after, dilation;
  int64_t groups;

  auto key() const { return std::tie(x, w, y, stride, before, after, dilation, groups); }
  bool operator<(const Geometry& other) const { return key() < other.key(); }

  // The same with another number of examples.
  Geometry of_batch(int64_t examples) const;

  // What is wrong with it; empty if nothing is.
  std::string problem() const;
};

// An array with channels last, its axes in oneDNN's order (N, C, *S).
dnnl::memory::desc channels_last(const Dims& shape);

// The filters as they lie in memory, their axes in oneDNN's order ([groups,] C_out / groups, C_in / groups, *F).
dnnl::memory::desc filters(const Geometry& geometry);

// The filters in whatever order a primitive likes best.
dnnl::memory::desc any_filters(const Geometry& geometry);

}  // namespace jcnn
