#include "primitives.hpp"

#include <map>
#include <mutex>
#include <type_traits>
#include <utility>

#include "chunks.hpp"

namespace jcnn {
namespace {

// A program has a few dozen geometries; one that keeps making new ones must not fill the memory.
constexpr size_t kKept = 1024;

template <typename Description, typename Convolution, typename... Arguments>
void compile(Primitive& made, Arguments&&... arguments) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // the library's own would be shared between threads
  Description description(engine(), std::forward<Arguments>(arguments)..., attributes);
  made.convolution = Convolution(description);
  made.scratch = description.scratchpad_desc();
  made.implementation = description.impl_info_str();
  if constexpr (std::is_same_v<Convolution, dnnl::convolution_backward_weights>) {
    made.w = description.diff_weights_desc();
  } else {
    made.w = description.weights_desc();
  }
}

std::shared_ptr<const Primitive> make(Pass pass, const Geometry& g) {
  using namespace dnnl;
  OneThread alone;  // a primitive is compiled for as many threads as there are when it is made
  auto made = std::make_shared<Primitive>();
  made->x = channels_last(g.x);
  made->y = channels_last(g.y);
  made->plain = filters(g);
  memory::desc any = any_filters(g);
  Dims between = g.dilation;
  for (int64_t& d : between) --d;  // oneDNN counts the pixels skipped
  constexpr auto direct = algorithm::convolution_direct;
  if (pass == Pass::kForward) {
    compile<convolution_forward::primitive_desc, convolution_forward>(
        *made, prop_kind::forward_inference, direct, made->x, any, made->y, g.stride, between, g.before, g.after);
  } else {
    convolution_forward::primitive_desc hint(engine(), prop_kind::forward_training, direct, made->x, any, made->y, g.stride,
                                             between, g.before, g.after);
    if (pass == Pass::kInputGradient) {
      compile<convolution_backward_data::primitive_desc, convolution_backward_data>(
          *made, direct, made->x, any, made->y, g.stride, between, g.before, g.after, hint);
    } else {
      compile<convolution_backward_weights::primitive_desc, convolution_backward_weights>(
          *made, direct, made->x, any, made->y, g.stride, between, g.before, g.after, hint);
    }
  }
  const bool back = pass == Pass::kFilterGradient;
  const memory::desc &from = back ? made->w : made->plain, &to = back ? made->plain : made->w;
  made->reorder = reorder(reorder::primitive_desc(engine(), from, engine(), to));
  return made;
}

}  // namespace

const dnnl::engine& engine() {
  static const auto* cpu = new dnnl::engine(dnnl::engine::kind::cpu, 0);  // never destroyed: threads may outlive main
  return *cpu;
}

std::shared_ptr<const Primitive> primitive(Pass pass, const Geometry& geometry) {
  static auto* mutex = new std::mutex;
  static auto* kept = new std::map<std::pair<Pass, Geometry>, std::shared_ptr<const Primitive>>;
  std::lock_guard lock(*mutex);
  if (kept->size() >= kKept) kept->clear();
  auto& entry = (*kept)[{pass, geometry}];
  if (!entry) entry = make(pass, geometry);
  return entry;
}

}  // namespace jcnn
