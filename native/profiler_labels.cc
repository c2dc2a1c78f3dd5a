// Labels in the registry: each thread's source, what threads inherit, and who used the CPU.
#include <algorithm>

#include "profiler.h"

namespace strobe {

namespace {

// Of the calling thread; freed when the last environment that has the addon there ends: JavaScript has typed arrays over its memory.
thread_local capture::LabelSource* t_labels = nullptr;
// Usually one; an embedder may have several, and each loading of the addon counts.
thread_local uint32_t t_environments = 0;

void FreeLabels() {
  if (t_labels != nullptr && t_environments > 0) {
    // The other environment may have another isolate: the handle goes with the one that ends.
    t_labels->kind.store(capture::LabelSource::kOff);
    t_labels->handle = nullptr;
    t_labels->loop = nullptr;
    return;
  }
  delete t_labels;
  t_labels = nullptr;
}

}  // namespace

void Profiler::EnvironmentBegins() { t_environments++; }

void Profiler::EnvironmentEnds() {
  t_environments--;
  ThreadEnds();
}

capture::LabelSource* Profiler::OwnLabels() { return t_labels; }

capture::LabelSource* Profiler::Labels() {
  if (t_labels != nullptr) return t_labels;
  auto* labels = new capture::LabelSource;
  t_labels = labels;
  std::lock_guard<std::mutex> lock(mutex_);
  if (SampledThread* current = FindCurrent()) BindLabels(current);
  return labels;
}

// On the thread's own: before it registers, or when it uses labels for the first time.
void Profiler::BindLabels(SampledThread* thread) {
  uint64_t inherited = 0;
  if (const auto found = inherited_.find(thread->node_thread_id); found != inherited_.end()) {
    inherited = (uint64_t{found->second.generation} << 32) | found->second.id;
  }
  thread->state->inherited_labels.store(inherited);
  thread->state->charged_sections_ns.store(t_labels != nullptr ? t_labels->sections_ns.load() : 0);
  thread->state->labels.store(t_labels);
  if (t_labels == nullptr) return;
  t_labels->state = thread->state;
  t_labels->thread_key = thread->key;
}

// `thread` null: it never joined.
void Profiler::UnbindLabels(SampledThread* thread) {
  if (thread == nullptr) return FreeLabels();
  thread->state->labels.store(nullptr);
  thread->state->inherited_labels.store(0);
  if (const auto found = inherited_.find(thread->node_thread_id); found != inherited_.end()) {
    label::LabelTable::Get().Unpin(found->second.id, found->second.generation);
    inherited_.erase(found);
  }
  if (t_labels == nullptr) return;
  if (t_labels->measured) label::LabelTable::Get().ForgetThread(thread->key);
  t_labels->state = nullptr;
  FreeLabels();
}

void Profiler::InheritLabels(int32_t node_thread_id, const label::Pairs& pairs) {
  label::LabelTable& table = label::LabelTable::Get();
  uint32_t generation = 0;
  const uint32_t id = table.Intern(pairs, &generation);
  if (id == 0 || !table.Pin(id, generation)) return;
  std::lock_guard<std::mutex> lock(mutex_);
  // Workers that never join (no profiler runs, they failed to start) leave theirs here: the oldest that is no living thread's goes. Node
  // counts its threads up.
  if (inherited_.size() >= capture::kMaxThreads) {
    auto oldest = inherited_.end();
    for (auto one = inherited_.begin(); one != inherited_.end(); ++one) {
      const bool lives =
          std::any_of(threads_.begin(), threads_.end(), [&](const SampledThread* thread) { return thread->node_thread_id == one->first; });
      if (!lives && (oldest == inherited_.end() || one->first < oldest->first)) oldest = one;
    }
    if (oldest != inherited_.end()) {
      table.Unpin(oldest->second.id, oldest->second.generation);
      inherited_.erase(oldest);
    }
  }
  if (const auto known = inherited_.find(node_thread_id); known != inherited_.end()) {
    table.Unpin(known->second.id, known->second.generation);
  }
  inherited_[node_thread_id] = {pairs, id, generation};
  for (const SampledThread* thread : threads_) {
    if (thread->node_thread_id == node_thread_id) {
      thread->state->inherited_labels.store((uint64_t{generation} << 32) | id);
    }
  }
}

label::Pairs Profiler::InheritedLabels(int32_t node_thread_id) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = inherited_.find(node_thread_id);
  return found != inherited_.end() ? found->second.pairs : label::Pairs{};
}

std::vector<Profiler::AttributedRow> Profiler::ReadAttribution(const std::string& key) {
  std::unordered_map<uint64_t, std::pair<int32_t, std::string>> names;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const SampledThread* thread : threads_) names[thread->key] = {thread->tid, thread->name};
  }
  std::vector<AttributedRow> rows;
  for (const label::Attribution::Row& row : collector_.attribution().Read(key, &label::LabelTable::Get())) {
    AttributedRow out{row.whose, row.value, {}};
    label::Use ended;
    for (const auto& [thread, use] : row.threads) {
      if (use.empty()) continue;
      if (const auto found = names.find(thread); found != names.end()) {
        out.threads.push_back({found->second.first, found->second.second, use});
      } else {
        ended.Add(use);
      }
    }
    if (!ended.empty()) out.threads.push_back({0, "", ended});
    rows.push_back(std::move(out));
  }
  return rows;
}

}  // namespace strobe
