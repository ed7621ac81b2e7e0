// A loop over chunks of work on XLA's own threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "xla/ffi/api/ffi.h"

namespace jcnn {

// oneDNN on this thread alone while it lives: the threads are XLA's, and each runs a primitive of its own. A team of OpenMP
// threads beside them would compete for the same cores.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Calls work(0) … work(count − 1), each once, on this thread and on those of the pool that are free, and returns when all are
// done. Nothing waits for a thread of the pool to become free, so a handler that runs on one of them cannot lock itself up.
// What `work` throws first is thrown here.
void for_each_chunk(xla::ffi::ThreadPool& pool, int64_t count, std::function<void(int64_t)> work);

}  // namespace jcnn
