#include "addon_profile.h"

#include <algorithm>
#include <new>
#include <span>

#include "stack/frame_order.h"
#include "stack/profile_bytes.h"
#include "stack/profile_rows.h"
#include "stack/profile_trie.h"

namespace strobe {

namespace {

constexpr uint32_t kMostExpected = 1 << 24;

// An argument's elements; they are JavaScript's memory, good until the call returns.
template <typename T>
bool Read(const Napi::Value& value, napi_typedarray_type type, std::span<T>* out) {
  if (!value.IsTypedArray()) return false;
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != type) return false;
  auto* bytes = static_cast<uint8_t*>(array.ArrayBuffer().Data());
  const size_t length = array.ElementLength();
  // Memory that Node-API does not give out.
  if (bytes == nullptr && length > 0) return false;
  *out = {static_cast<T*>(static_cast<void*>(bytes + array.ByteOffset())), length};
  return true;
}

bool Read(const Napi::Value& value, std::span<uint32_t>* out) { return Read(value, napi_uint32_array, out); }
bool Read(const Napi::Value& value, std::span<uint8_t>* out) { return Read(value, napi_uint8_array, out); }
bool Read(const Napi::Value& value, std::span<double>* out) { return Read(value, napi_float64_array, out); }

// A typed array of zeros to be filled, and its elements: none when the environment is being torn down, where nothing can be made any more.
template <typename Array, typename T>
Array Make(Napi::Env env, size_t length, std::span<T>* elements) {
  Array array = Array::New(env, length);
  *elements = {};
  if (!array.IsEmpty() && array.Data() != nullptr) *elements = {array.Data(), length};
  return array;
}

Napi::Value Refuse(Napi::Env env, const char* what) {
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value NoMemory(Napi::Env env) {
  Napi::RangeError::New(env, "no memory for the profile's tables").ThrowAsJavaScriptException();
  return env.Undefined();
}

class ProfileTables : public Napi::ObjectWrap<ProfileTables> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "ProfileTables",
                       {Method<&ProfileTables::Nodes>("nodes"), Method<&ProfileTables::Used>("used"), Method<&ProfileTables::Fold>("fold"),
                        Method<&ProfileTables::Add>("add"), Method<&ProfileTables::Rows>("rows"), Method<&ProfileTables::Order>("order"),
                        Method<&ProfileTables::Trie>("trie"), Method<&ProfileTables::Encode>("encode")});
  }

  explicit ProfileTables(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProfileTables>(info), trie_(Expected(info)) {
    Account(info.Env());
  }

  void Finalize(Napi::Env env) override { Napi::MemoryManagement::AdjustExternalMemory(env, -accounted_); }

 private:
  using Body = Napi::Value (ProfileTables::*)(const Napi::CallbackInfo&);

  template <Body kBody>
  static Napi::ClassPropertyDescriptor<ProfileTables> Method(const char* name) {
    return InstanceMethod(name, &ProfileTables::Guarded<kBody>);
  }

  // Memory that is not there is a JavaScript error, as a typed array's, and not the end of the process. What was being changed is of no use
  // then: the tables refuse all that follows, and who made them makes new ones.
  template <Body kBody>
  Napi::Value Guarded(const Napi::CallbackInfo& info) {
    if (broken_) return NoMemory(info.Env());
    try {
      return (this->*kBody)(info);
    } catch (const std::bad_alloc&) {
      broken_ = true;
      return NoMemory(info.Env());
    }
  }

  static uint32_t Expected(const Napi::CallbackInfo& info) {
    return info.Length() > 0 && info[0].IsNumber() ? std::min(info[0].As<Napi::Number>().Uint32Value(), kMostExpected) : 0;
  }

  // V8 collects sooner what it knows to be large.
  void Account(Napi::Env env) {
    const auto bytes = static_cast<int64_t>(trie_.bytes() + rows_.bytes());
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - accounted_);
    accounted_ = bytes;
  }

  Napi::Value Nodes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), trie_.size()); }

  Napi::Value Used(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::span<uint32_t> parent, frame, sample_node;
    std::span<uint8_t> sample_mode;
    if (info.Length() < 6 || !Read(info[0], &parent) || !Read(info[1], &frame) || !Read(info[2], &sample_node) ||
        !Read(info[3], &sample_mode) || !info[4].IsNumber() || !info[5].IsNumber()) {
      return Refuse(env, "used(nodeParent, nodeFrame, sampleNode, sampleMode, mode, frames)");
    }
    const auto mode = static_cast<uint8_t>(info[4].As<Napi::Number>().Uint32Value());
    std::span<uint8_t> nodes, frames;
    Napi::Object out = Napi::Object::New(env);
    out.Set("nodes", Make<Napi::Uint8Array>(env, parent.size(), &nodes));
    out.Set("frames", Make<Napi::Uint8Array>(env, info[5].As<Napi::Number>().Uint32Value(), &frames));
    if (!stack::MarkUsed(parent, frame, sample_node, sample_mode, mode, nodes, frames)) return Refuse(env, "used: not a slice's columns");
    return out;
  }

  Napi::Value Fold(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::span<uint32_t> parent, frame, own_frames;
    std::span<uint8_t> used;
    if (info.Length() < 4 || !Read(info[0], &parent) || !Read(info[1], &frame) || !Read(info[2], &used) || !Read(info[3], &own_frames)) {
      return Refuse(env, "fold(nodeParent, nodeFrame, used, ownFrames)");
    }
    std::span<uint32_t> nodes;
    const auto out = Make<Napi::Uint32Array>(env, parent.size(), &nodes);
    const bool fits = trie_.Fold(parent, frame, used, own_frames, nodes);
    Account(env);
    if (!fits) return Refuse(env, "fold: not a slice's columns");
    return out;
  }

  Napi::Value Add(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::span<uint8_t> mode, gc;
    std::span<uint32_t> node, thread, labels, count, own_nodes, own_threads, own_labels;
    std::span<double> weight_ns;
    if (info.Length() < 11 || !Read(info[0], &mode) || !Read(info[1], &node) || !Read(info[2], &thread) || !Read(info[3], &gc) ||
        !Read(info[4], &labels) || !Read(info[5], &count) || !Read(info[6], &weight_ns) || !info[7].IsNumber() ||
        !Read(info[8], &own_nodes) || !Read(info[9], &own_threads) || !Read(info[10], &own_labels)) {
      return Refuse(env, "add(mode, node, thread, gc, label, count, weightNs of the samples, mode, ownNodes, ownThreads, ownLabels)");
    }
    std::span<uint32_t> own_rows;
    const auto out = Make<Napi::Uint32Array>(env, mode.size(), &own_rows);
    const auto wanted = static_cast<uint8_t>(info[7].As<Napi::Number>().Uint32Value());
    const bool fits = rows_.Add({mode, node, thread, gc, labels, count, weight_ns, own_nodes, own_threads, own_labels}, wanted, own_rows);
    Account(env);
    if (!fits) return Refuse(env, "add: not a slice's columns");
    return out;
  }

  // One of the rows' ids or figures as a typed array.
  template <typename Array, typename T>
  Napi::Value Column(Napi::Env env, T stack::ProfileRow::*member) {
    std::span<T> column;
    const auto out = Make<Array>(env, rows_.all().size(), &column);
    for (size_t row = 0; row < column.size(); row++) column[row] = rows_.all()[row].*member;
    return out;
  }

  Napi::Value Rows(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    Napi::Object out = Napi::Object::New(env);
    out.Set("node", Column<Napi::Uint32Array>(env, &stack::ProfileRow::node));
    out.Set("thread", Column<Napi::Uint32Array>(env, &stack::ProfileRow::thread));
    out.Set("gc", Column<Napi::Uint32Array>(env, &stack::ProfileRow::gc));
    out.Set("labels", Column<Napi::Uint32Array>(env, &stack::ProfileRow::labels));
    out.Set("count", Column<Napi::Float64Array>(env, &stack::ProfileRow::count));
    out.Set("weightNs", Column<Napi::Float64Array>(env, &stack::ProfileRow::weight_ns));
    return out;
  }

  Napi::Value Order(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::span<uint32_t> row_node;
    if (info.Length() < 1 || !Read(info[0], &row_node)) return Refuse(env, "order(rowNode)");
    std::span<uint32_t> order;
    const auto out = Make<Napi::Uint32Array>(env, row_node.size(), &order);
    if (!stack::OrderAlong(trie_, row_node, order)) return Refuse(env, "order: a node is not in the trie");
    return out;
  }

  Napi::Value Trie(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::span<uint32_t> parent, frame;
    Napi::Object out = Napi::Object::New(env);
    out.Set("parent", Make<Napi::Uint32Array>(env, trie_.size(), &parent));
    out.Set("frame", Make<Napi::Uint32Array>(env, trie_.size(), &frame));
    for (uint32_t node = 0; node < std::min(parent.size(), frame.size()); node++) {
      parent[node] = trie_[node].parent;
      frame[node] = trie_[node].frame;
    }
    return out;
  }

  Napi::Value Encode(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::span<uint32_t> node, labels, frame_rank, label_end;
    std::span<double> count, weight;
    std::span<uint8_t> label_bytes, out;
    if (info.Length() < 9 || !Read(info[0], &node) || !Read(info[1], &labels) || !Read(info[2], &count) || !Read(info[3], &weight) ||
        !Read(info[4], &frame_rank) || !Read(info[5], &label_end) || !Read(info[6], &label_bytes) || !info[7].IsBoolean() ||
        !Read(info[8], &out)) {
      return Refuse(env, "encode(rowNode, rowLabels, rowCount, rowWeight, frameRank, labelEnd, labelBytes, keepOrder, out)");
    }
    const stack::SampleRows rows{node, labels, count, weight, frame_rank, label_end, label_bytes, info[7].As<Napi::Boolean>().Value()};
    size_t size = 0;
    if (!stack::EncodeSamples(trie_, rows, out, &size)) return Refuse(env, "encode: columns that don't fit together");
    return Napi::Number::New(env, static_cast<double>(size));
  }

  stack::ProfileTrie trie_;
  stack::ProfileRows rows_;
  int64_t accounted_ = 0;
  bool broken_ = false;
};

Napi::Value OrderFrames(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::span<uint32_t> columns[6];
  bool read = info.Length() >= 6;
  for (size_t i = 0; i < 6 && read; i++) read = Read(info[i], &columns[i]);
  if (!read) return Refuse(env, "orderFrames(functionFileRank, functionLine, functionColumn, frameFunction, frameLine, frameColumn)");
  std::span<uint32_t> function_order, frame_order;
  Napi::Object out = Napi::Object::New(env);
  out.Set("functions", Make<Napi::Uint32Array>(env, columns[0].size(), &function_order));
  out.Set("frames", Make<Napi::Uint32Array>(env, columns[3].size(), &frame_order));
  try {
    const bool fits =
        stack::OrderFrames({columns[0], columns[1], columns[2]}, {columns[3], columns[4], columns[5]}, function_order, frame_order);
    if (!fits) return Refuse(env, "orderFrames: columns that don't fit together");
  } catch (const std::bad_alloc&) {
    return NoMemory(env);
  }
  return out;
}

Napi::Value EncodeLocations(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::span<uint32_t> functions, lines, columns;
  std::span<uint8_t> out;
  if (info.Length() < 4 || !Read(info[0], &functions) || !Read(info[1], &lines) || !Read(info[2], &columns) || !Read(info[3], &out)) {
    return Refuse(env, "encodeLocations(functions, lines, columns, out)");
  }
  size_t size = 0;
  if (!stack::EncodeLocations({functions, lines, columns}, out, &size)) {
    return Refuse(env, "encodeLocations: columns that don't fit together");
  }
  return Napi::Number::New(env, static_cast<double>(size));
}

}  // namespace

void AddProfileFunctions(Napi::Env env, Napi::Object exports) {
  exports.Set("ProfileTables", ProfileTables::Define(env));
  exports.Set("orderFrames", Napi::Function::New(env, OrderFrames));
  exports.Set("encodeLocations", Napi::Function::New(env, EncodeLocations));
}

}  // namespace strobe
