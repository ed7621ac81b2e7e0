#include "geometry.hpp"

#include <numeric>
#include <string>

namespace jcnn {
namespace {

constexpr auto kFloat = dnnl::memory::data_type::f32;

// How far apart in memory neighbours along each axis are, the last axis closest.
Dims steps(const Dims& shape) {
  Dims result(shape.size(), 1);
  for (size_t i = shape.size() - 1; i-- > 0;) result[i] = result[i + 1] * shape[i + 1];
  return result;
}

Dims filter_sizes(const Geometry& g) {
  int64_t inputs = g.w[g.w.size() - 2], outputs = g.w.back();
  Dims sizes = g.groups > 1 ? Dims{g.groups, outputs / g.groups, inputs} : Dims{outputs, inputs};
  sizes.insert(sizes.end(), g.w.begin(), g.w.end() - 2);
  return sizes;
}

}  // namespace

Geometry Geometry::of_batch(int64_t examples) const {
  Geometry result = *this;
  result.x[0] = result.y[0] = examples;
  return result;
}

std::string Geometry::problem() const {
  size_t rank = x.size() < 3 ? 0 : x.size() - 2;
  if (rank < 1 || rank > 3) return "x must have 1 to 3 spatial axes";
  if (w.size() != rank + 2 || y.size() != rank + 2) return "x, w and y must have as many axes as each other";
  for (const Dims* each : {&stride, &before, &after, &dilation})
    if (each->size() != rank) return "stride, padding and dilation must have one entry per spatial axis";
  for (const Dims* each : {&x, &w, &y})
    for (int64_t size : *each)
      if (size < 1) return "an array is empty";
  if (groups < 1 || w.back() % groups || w[rank] * groups != x.back()) return "the channels of x and w do not fit";
  if (y[0] != x[0] || y.back() != w.back()) return "y must have the examples of x and the channels of w";
  for (size_t i = 0; i < rank; ++i) {
    if (stride[i] < 1 || dilation[i] < 1) return "stride and dilation must be at least 1";
    int64_t room = x[i + 1] + before[i] + after[i] - dilation[i] * (w[i] - 1) - 1;
    if (room < 0 || room / stride[i] + 1 != y[i + 1]) return "y does not have the size that the window gives";
  }
  return "";
}

dnnl::memory::desc channels_last(const Dims& shape) {
  Dims apart = steps(shape);
  Dims sizes{shape.front(), shape.back()}, order{apart.front(), apart.back()};
  sizes.insert(sizes.end(), shape.begin() + 1, shape.end() - 1);
  order.insert(order.end(), apart.begin() + 1, apart.end() - 1);
  return dnnl::memory::desc(sizes, kFloat, order);
}

dnnl::memory::desc filters(const Geometry& g) {
  Dims apart = steps(g.w);
  size_t rank = g.w.size() - 2;
  Dims order = g.groups > 1 ? Dims{g.w.back() / g.groups, 1, apart[rank]} : Dims{1, apart[rank]};
  order.insert(order.end(), apart.begin(), apart.begin() + rank);
  return dnnl::memory::desc(filter_sizes(g), kFloat, order);
}

dnnl::memory::desc any_filters(const Geometry& g) {
  return dnnl::memory::desc(filter_sizes(g), kFloat, dnnl::memory::format_tag::any);
}

}  // namespace jcnn
