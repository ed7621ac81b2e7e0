#include "chunks.hpp"

#include <omp.h>

#include <algorithm>
#include <utility>

namespace jcnn {
namespace {

// Shared with the helpers, some of which may only start after the loop is over: they find nothing left to take.
struct Loop {
  int64_t count;
  std::function<void(int64_t)> work;
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::condition_variable finished;
  int64_t done = 0;
  std::exception_ptr error;

  void help() {
    for (int64_t chunk; (chunk = next.fetch_add(1)) < count;) {
      std::exception_ptr caught;
      try {
        OneThread alone;
        work(chunk);
      } catch (...) {
        caught = std::current_exception();
      }
      std::lock_guard lock(mutex);
      if (caught && !error) error = caught;
      if (++done == count) finished.notify_all();
    }
  }
};

}  // namespace

OneThread::OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThread::~OneThread() { omp_set_num_threads(before_); }

void for_each_chunk(xla::ffi::ThreadPool& pool, int64_t count, std::function<void(int64_t)> work) {
  auto loop = std::make_shared<Loop>();
  loop->count = count;
  loop->work = std::move(work);
  int64_t helpers = std::min(pool.num_threads(), count) - 1;
  for (int64_t i = 0; i < helpers; ++i) pool.Schedule([loop] { loop->help(); });
  loop->help();
  std::unique_lock lock(loop->mutex);
  loop->finished.wait(lock, [&] { return loop->done == count; });
  if (loop->error) std::rethrow_exception(loop->error);
}

}  // namespace jcnn
