// What XLA calls: y, dx or dw of a convolution, the examples divided among its threads.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <unordered_map>

#include "chunks.hpp"
#include "geometry.hpp"
#include "primitives.hpp"
#include "xla/ffi/api/ffi.h"

namespace jcnn {
namespace {

namespace ffi = xla::ffi;
using Input = ffi::Buffer<ffi::F32>;
using Output = ffi::ResultBuffer<ffi::F32>;
using Sizes = ffi::Span<const int64_t>;

// Scratch memory, aligned as oneDNN likes it, not initialised.
class Block {
 public:
  explicit Block(size_t bytes) : data_(std::aligned_alloc(kLine, (bytes + kLine) / kLine * kLine)) {
    if (!data_) throw std::bad_alloc();
  }
  ~Block() { std::free(data_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  float* at(size_t floats = 0) { return static_cast<float*>(data_) + floats; }

 private:
  static constexpr size_t kLine = 64;
  void* data_;
};

Dims dims(Sizes sizes) { return Dims(sizes.begin(), sizes.end()); }

size_t count(const Dims& shape) {
  size_t result = 1;
  for (int64_t size : shape) result *= size;
  return result;
}

dnnl::memory wrap(const dnnl::memory::desc& desc, const float* data) {
  return dnnl::memory(desc, engine(), const_cast<float*>(data));
}

void run(const dnnl::primitive& primitive, const std::unordered_map<int, dnnl::memory>& arguments) {
  dnnl::stream stream(engine());
  primitive.execute(stream, arguments);
  stream.wait();
}

// How many examples a thread takes at a time.
struct Division {
  int64_t examples, size;
  int64_t chunks() const { return (examples + size - 1) / size; }
  int64_t first(int64_t chunk) const { return chunk * size; }
  int64_t of(int64_t chunk) const { return std::min(size, examples - first(chunk)); }
};

Division divide(int64_t examples, int64_t chunks) {
  chunks = std::max<int64_t>(1, std::min(chunks, examples));
  return {examples, (examples + chunks - 1) / chunks};
}

void forward_or_back(Pass pass, ffi::ThreadPool& pool, const Geometry& g, const float* in, const float* w, float* out) {
  const bool forward = pass == Pass::kForward;
  const size_t in_step = count(forward ? g.x : g.y) / g.x[0], out_step = count(forward ? g.y : g.x) / g.x[0];
  // More chunks than threads, so that one that is late takes fewer.
  const Division parts = divide(g.x[0], 4 * pool.num_threads());
  const auto first = primitive(pass, g.of_batch(parts.of(0)));
  const auto last = primitive(pass, g.of_batch(parts.of(parts.chunks() - 1)));
  Block own(first->w.get_size());
  Block other(first->w == last->w ? 0 : last->w.get_size());
  {
    OneThread alone;
    run(first->reorder, {{DNNL_ARG_FROM, wrap(first->plain, w)}, {DNNL_ARG_TO, wrap(first->w, own.at())}});
    if (first->w != last->w)
      run(last->reorder, {{DNNL_ARG_FROM, wrap(last->plain, w)}, {DNNL_ARG_TO, wrap(last->w, other.at())}});
  }
  for_each_chunk(pool, parts.chunks(), [&](int64_t chunk) {
    const bool full = parts.of(chunk) == parts.of(0);
    const Primitive& p = full ? *first : *last;
    Block scratch(p.scratch.get_size());
    const float* from = in + parts.first(chunk) * in_step;
    float* to = out + parts.first(chunk) * out_step;
    run(p.convolution, {{forward ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, wrap(forward ? p.x : p.y, from)},
                        {DNNL_ARG_WEIGHTS, wrap(p.w, full || first->w == last->w ? own.at() : other.at())},
                        {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, wrap(forward ? p.y : p.x, to)},
                        {DNNL_ARG_SCRATCHPAD, wrap(p.scratch, scratch.at())}});
  });
}

void filter_gradient(ffi::ThreadPool& pool, const Geometry& g, const float* dy, const float* x, float* dw) {
  const size_t x_step = count(g.x) / g.x[0], y_step = count(g.y) / g.x[0], filter = count(g.w);
  // Every chunk has a sum of its own, added up at the end in their order: the same result however the threads ran.
  const Division parts = divide(g.x[0], pool.num_threads());
  const auto first = primitive(Pass::kFilterGradient, g.of_batch(parts.of(0)));
  const auto last = primitive(Pass::kFilterGradient, g.of_batch(parts.of(parts.chunks() - 1)));
  Block sums((parts.chunks() - 1) * filter * sizeof(float));
  for_each_chunk(pool, parts.chunks(), [&](int64_t chunk) {
    const Primitive& p = parts.of(chunk) == parts.of(0) ? *first : *last;
    Block scratch(p.scratch.get_size()), own(p.w.get_size());
    run(p.convolution, {{DNNL_ARG_SRC, wrap(p.x, x + parts.first(chunk) * x_step)},
                        {DNNL_ARG_DIFF_DST, wrap(p.y, dy + parts.first(chunk) * y_step)},
                        {DNNL_ARG_DIFF_WEIGHTS, wrap(p.w, own.at())},
                        {DNNL_ARG_SCRATCHPAD, wrap(p.scratch, scratch.at())}});
    float* sum = chunk == 0 ? dw : sums.at((chunk - 1) * filter);
    run(p.reorder, {{DNNL_ARG_FROM, wrap(p.w, own.at())}, {DNNL_ARG_TO, wrap(p.plain, sum)}});
  });
  for (int64_t chunk = 1; chunk < parts.chunks(); ++chunk) {
    const float* sum = sums.at((chunk - 1) * filter);
    for (size_t i = 0; i < filter; ++i) dw[i] += sum[i];
  }
}

template <typename Work>
ffi::Error guarded(const Geometry& g, Work work) {
  if (const std::string problem = g.problem(); !problem.empty()) return ffi::Error::InvalidArgument("jcnn_native: " + problem);
  try {
    work();
  } catch (const dnnl::error& error) {
    return ffi::Error::Internal(std::string("jcnn_native: oneDNN cannot do this convolution: ") + error.what());
  } catch (const std::exception& error) {
    return ffi::Error::Internal(std::string("jcnn_native: ") + error.what());
  }
  return ffi::Error::Success();
}

ffi::Error forward_handler(ffi::ThreadPool pool, Input x, Input w, Output y, Sizes stride, Sizes before, Sizes after,
                           Sizes dilation, int64_t groups) {
  Geometry g{dims(x.dimensions()), dims(w.dimensions()), dims(y->dimensions()), dims(stride),
             dims(before), dims(after), dims(dilation), groups};
  return guarded(g, [&] { forward_or_back(Pass::kForward, pool, g, x.typed_data(), w.typed_data(), y->typed_data()); });
}

ffi::Error input_gradient_handler(ffi::ThreadPool pool, Input dy, Input w, Output dx, Sizes stride, Sizes before, Sizes after,
                                  Sizes dilation, int64_t groups) {
  Geometry g{dims(dx->dimensions()), dims(w.dimensions()), dims(dy.dimensions()), dims(stride),
             dims(before), dims(after), dims(dilation), groups};
  return guarded(g, [&] { forward_or_back(Pass::kInputGradient, pool, g, dy.typed_data(), w.typed_data(), dx->typed_data()); });
}

ffi::Error filter_gradient_handler(ffi::ThreadPool pool, Input dy, Input x, Output dw, Sizes stride, Sizes before, Sizes after,
                                   Sizes dilation, int64_t groups) {
  Geometry g{dims(x.dimensions()), dims(dw->dimensions()), dims(dy.dimensions()), dims(stride),
             dims(before), dims(after), dims(dilation), groups};
  return guarded(g, [&] { filter_gradient(pool, g, dy.typed_data(), x.typed_data(), dw->typed_data()); });
}

auto binding() {
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .Arg<Input>()
      .Arg<Input>()
      .Ret<Input>()
      .Attr<Sizes>("stride")
      .Attr<Sizes>("before")
      .Attr<Sizes>("after")
      .Attr<Sizes>("dilation")
      .Attr<int64_t>("groups");
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(jcnn_native_forward, forward_handler, binding());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jcnn_native_input_gradient, input_gradient_handler, binding());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jcnn_native_filter_gradient, filter_gradient_handler, binding());

}  // namespace jcnn
