// Tests of v8/code_events.h's listeners: each isolate's events reach its own queue, with names that were cut, as isolates come and go.
#include "v8/code_events.h"

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "test/check.h"

namespace strobe::v8 {
namespace {

std::string NameOf(uint64_t number, size_t length) {
  std::string name(length, 'a');
  for (size_t i = 0; i < length; i++) name[i] = static_cast<char>('a' + (number * 7 + i) % 26);
  return name;
}

// What V8 would keep: one handler an isolate.
std::map<v8api::Isolate*, v8api::JitCodeEventHandler> g_handlers;
std::vector<int> g_options;

void FakeSetHandler(v8api::Isolate* isolate, int options, v8api::JitCodeEventHandler handler) {
  g_options.push_back(options);
  if (handler == nullptr) {
    g_handlers.erase(isolate);
    return;
  }
  g_handlers[isolate] = handler;
  if ((options & v8api::kJitCodeEventEnumExisting) == 0) return;
  // Existing code is announced inside the call.
  v8api::JitCodeEvent event{};
  event.type = v8api::JitCodeEvent::kAdded;
  event.code_type = v8api::JitCodeEvent::kJitCode;
  event.code_start = 0x10;
  event.code_len = 4;
  event.name = {"Builtin:Existing", 16};
  event.isolate = isolate;
  handler(&event);
}

v8api::Symbols FakeSymbols() {
  v8api::Symbols symbols;
  symbols.set_jit_code_event_handler = FakeSetHandler;
  return symbols;
}

v8api::JitCodeEvent Event(v8api::Isolate* isolate, int32_t type, uint64_t start) {
  v8api::JitCodeEvent event{};
  event.type = type;
  event.code_type = v8api::JitCodeEvent::kWasmCode;
  event.code_start = start;
  event.code_len = 0x40;
  event.script = reinterpret_cast<void*>(0x666);
  event.user_data = reinterpret_cast<void*>(0x666);
  event.wasm_source_info = nullptr;
  event.isolate = isolate;
  return event;
}

TEST(code_events_of_two_isolates) {
  const v8api::Symbols symbols = FakeSymbols();
  int isolates[3];
  CodeEventQueue first;
  CodeEventQueue second;
  g_options.clear();
  CHECK(AttachCodeEvents(symbols, &isolates[0], &first, true));
  CHECK(AttachCodeEvents(symbols, &isolates[1], &second, false));
  CHECK(g_options == std::vector<int>({v8api::kJitCodeEventEnumExisting, v8api::kJitCodeEventDefault}));
  CHECK_EQ(first.published().load(), 1);  // the enumeration
  CHECK_EQ(second.published().load(), 0);
  const v8api::JitCodeEventHandler handler = g_handlers[&isolates[0]];
  if (!CHECK(handler != nullptr) || !CHECK(handler == g_handlers[&isolates[1]])) return;

  // A name is not zero-terminated.
  v8api::JitCodeEvent added = Event(&isolates[0], v8api::JitCodeEvent::kAdded, 0x1000);
  added.name = {"JS:~foo /a.js:1:2 and what lies behind", 17};
  handler(&added);
  v8api::JitCodeEvent moved = Event(&isolates[1], v8api::JitCodeEvent::kMoved, 0x2000);
  moved.new_code_start = 0x3000;
  handler(&moved);
  v8api::JitCodeEvent removed = Event(&isolates[0], v8api::JitCodeEvent::kRemoved, 0x1000);
  handler(&removed);
  // Line information and types that V8 may add are not events of ours.
  for (const int32_t type :
       {v8api::JitCodeEvent::kAddLinePosInfo, v8api::JitCodeEvent::kStartLineInfo, v8api::JitCodeEvent::kEndLineInfo}) {
    v8api::JitCodeEvent line = Event(&isolates[0], type, 0x1000);
    handler(&line);
  }
  v8api::JitCodeEvent unknown_type = Event(&isolates[0], 17, 0x1000);
  handler(&unknown_type);
  v8api::JitCodeEvent unknown = Event(&isolates[2], v8api::JitCodeEvent::kAdded, 0x4000);
  unknown.name = {"JS:~bar", 7};
  handler(&unknown);
  v8api::JitCodeEvent nobody = Event(nullptr, v8api::JitCodeEvent::kRemoved, 0x4000);
  handler(&nobody);

  CodeEvent event;
  if (!CHECK_EQ(first.published().load(), 3) || !CHECK_EQ(second.published().load(), 1)) return;
  CHECK(first.Next(3, &event) && event.name == "Builtin:Existing");
  CHECK(first.Next(3, &event));
  CHECK(event.type == CodeEvent::Type::kAdded);
  CHECK_EQ(event.name, "JS:~foo /a.js:1:2");
  CHECK_EQ(event.code_type, v8api::JitCodeEvent::kWasmCode);
  CHECK_EQ(event.start, 0x1000);
  CHECK_EQ(event.length_or_new_start, 0x40);
  CHECK(first.Next(3, &event));
  CHECK(event.type == CodeEvent::Type::kRemoved);
  CHECK_EQ(event.start, 0x1000);
  CHECK_EQ(event.name, "");
  CHECK(second.Next(1, &event));
  CHECK(event.type == CodeEvent::Type::kMoved);
  CHECK_EQ(event.start, 0x2000);
  CHECK_EQ(event.length_or_new_start, 0x3000);

  // Detached: V8 has no handler, and a late call of it is dropped.
  DetachCodeEvents(symbols, &isolates[0]);
  CHECK(g_handlers.find(&isolates[0]) == g_handlers.end());
  handler(&added);
  CHECK_EQ(first.published().load(), 3);
  handler(&moved);
  CHECK_EQ(second.published().load(), 2);
  DetachCodeEvents(symbols, &isolates[1]);
  DetachCodeEvents(symbols, &isolates[1]);  // once more is nothing
  // The same address may be a new isolate's.
  CodeEventQueue third;
  CHECK(AttachCodeEvents(symbols, &isolates[0], &third, false));
  handler(&added);
  CHECK_EQ(third.published().load(), 1);
  CHECK_EQ(first.published().load(), 3);
  DetachCodeEvents(symbols, &isolates[0]);
}

TEST(code_events_long_names_are_cut) {
  const v8api::Symbols symbols = FakeSymbols();
  int isolate;
  CodeEventQueue queue;
  CHECK(AttachCodeEvents(symbols, &isolate, &queue, false));
  const v8api::JitCodeEventHandler handler = g_handlers[&isolate];
  const std::string name = NameOf(1, 100'000);
  v8api::JitCodeEvent event = Event(&isolate, v8api::JitCodeEvent::kAdded, 0x1000);
  for (const size_t length : {size_t{4095}, size_t{4096}, size_t{4097}, size_t{70'000}, name.size()}) {
    event.name = {name.data(), length};
    handler(&event);
  }
  CodeEvent out;
  for (const size_t length : {4095, 4096, 4096, 4096, 4096}) {
    if (!CHECK(queue.Next(5, &out))) break;
    CHECK(out.name == std::string_view(name).substr(0, length));
  }
  DetachCodeEvents(symbols, &isolate);
}

TEST(code_events_table_of_isolates_fills_and_empties) {
  const v8api::Symbols symbols = FakeSymbols();
  constexpr size_t kMost = 4096;
  std::vector<int> isolates(kMost + 1);
  CodeEventQueue queue;
  size_t attached = 0;
  while (attached < isolates.size() && AttachCodeEvents(symbols, &isolates[attached], &queue, false)) attached++;
  CHECK_EQ(attached, kMost);
  CHECK(g_handlers.find(&isolates[kMost]) == g_handlers.end());  // refused: V8 was not told
  if (attached != kMost) return;
  DetachCodeEvents(symbols, &isolates[500]);
  CHECK(AttachCodeEvents(symbols, &isolates[kMost], &queue, false));
  v8api::JitCodeEvent event = Event(&isolates[kMost], v8api::JitCodeEvent::kRemoved, 1);
  g_handlers[&isolates[kMost]](&event);
  CHECK_EQ(queue.published().load(), 1);
  for (auto& isolate : isolates) DetachCodeEvents(symbols, &isolate);
  CHECK(g_handlers.empty());
}

TEST(code_events_attach_and_detach_while_others_write) {
  // Isolates come and go on their own threads; one that stays must lose nothing and get nothing foreign.
  const v8api::Symbols symbols = FakeSymbols();
  int steady_isolate;
  CodeEventQueue steady;
  CHECK(AttachCodeEvents(symbols, &steady_isolate, &steady, false));
  const v8api::JitCodeEventHandler handler = g_handlers[&steady_isolate];
  // V8's own table is the test's here, so the handler is set by nobody while threads run.
  v8api::Symbols quiet;
  quiet.set_jit_code_event_handler = [](v8api::Isolate*, int, v8api::JitCodeEventHandler) {};
  std::atomic<uint64_t> wrong{0};
  const auto come_and_go = [&] {
    for (uint64_t i = 0; i < 2000; i++) {
      int isolate;
      CodeEventQueue queue;
      if (!AttachCodeEvents(quiet, &isolate, &queue, false)) wrong++;
      v8api::JitCodeEvent event = Event(&isolate, v8api::JitCodeEvent::kRemoved, i + 1);
      handler(&event);
      DetachCodeEvents(quiet, &isolate);
      CodeEvent out;
      if (!queue.Next(queue.published().load(), &out) || out.start != i + 1 || queue.backlog() != 0) wrong++;
    }
  };
  std::thread one(come_and_go);
  std::thread two(come_and_go);
  constexpr uint64_t kEvents = 20'000;
  for (uint64_t i = 0; i < kEvents; i++) {
    v8api::JitCodeEvent event = Event(&steady_isolate, v8api::JitCodeEvent::kRemoved, i);
    handler(&event);
  }
  one.join();
  two.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK_EQ(steady.published().load(), kEvents);
  CodeEvent out;
  for (uint64_t i = 0; i < kEvents; i++) {
    if (!CHECK(steady.Next(kEvents, &out)) || !CHECK_EQ(out.start, i)) break;
  }
  DetachCodeEvents(symbols, &steady_isolate);
}

}  // namespace
}  // namespace strobe::v8
