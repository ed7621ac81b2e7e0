// oneDNN's convolutions, made once for every geometry.
#pragma once

#include <memory>
#include <string>

#include "geometry.hpp"
#include "oneapi/dnnl/dnnl.hpp"

namespace jcnn {

enum class Pass { kForward, kInputGradient, kFilterGradient };

// One pass of one geometry, compiled for one thread.
struct Primitive {
  dnnl::primitive convolution;
  dnnl::reorder reorder;         // of the filters, from XLA's order to the primitive's; for their gradient the way back
  dnnl::memory::desc x, w, y;    // as the primitive takes them
  dnnl::memory::desc plain;      // the filters as XLA has them
  dnnl::memory::desc scratch;
  std::string implementation;    // oneDNN's name for the kernel
};

// Of this pass and geometry. May be called from any thread; throws dnnl::error for what oneDNN has no kernel for.
std::shared_ptr<const Primitive> primitive(Pass pass, const Geometry& geometry);

const dnnl::engine& engine();

}  // namespace jcnn
