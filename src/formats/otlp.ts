// Profile -> an OTLP export request (opentelemetry.proto.profiles.v1development, Alpha: field numbers as of 2026; the tests hold them against a real Collector).
//
// One request carries one profile of one sample type (the time; a receiver reads exactly one value a sample). Everything repeated stands once in the
// dictionary, whose tables all begin with the zero value. `trace_id` and `span_id` labels become a link; other labels attributes, thread_name and thread_id under
// OpenTelemetry's names. What the engine counted (samples, lost …) becomes attributes of the profile: loss is data.

import { Writer } from 'protobufjs/minimal';
import { type Label, type Profile, type Sample, shownSampleType, type ValueType } from '../pprof/schema';
import { totalsFromComments } from '../pprof/totals';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

const REQUEST = { resourceProfiles: 1, dictionary: 2 } as const;
const DICTIONARY = { mapping: 1, location: 2, function: 3, link: 4, string: 5, attribute: 6, stack: 7 } as const;
const RESOURCE_PROFILES = { resource: 1, scopeProfiles: 2 } as const;
const SCOPE_PROFILES = { scope: 1, profiles: 2 } as const;
const SCOPE = { name: 1, version: 2 } as const;
const PROFILE = { sampleType: 1, samples: 2, time: 3, duration: 4, periodType: 5, period: 6, id: 7, attributes: 11 } as const;
const SAMPLE = { stack: 1, attributes: 2, link: 3, values: 4 } as const;
const LOCATION = { mapping: 1, address: 2, lines: 3 } as const;
const LINE = { function: 1, line: 2, column: 3 } as const;
const FUNCTION = { name: 1, systemName: 2, filename: 3, startLine: 4 } as const;
const MAPPING = { start: 1, limit: 2, offset: 3, filename: 4 } as const;
const LINK = { traceId: 1, spanId: 2 } as const;
const KEY_VALUE = { key: 1, value: 2, unit: 3 } as const;
const ANY_VALUE = { string: 1, int: 3 } as const;

const TRACE_ID = /^[0-9a-f]{32}$/;
const SPAN_ID = /^[0-9a-f]{16}$/;

const SEMANTIC_NAMES: Record<string, string> = { thread_name: 'thread.name', thread_id: 'thread.id' };

export interface OtlpFacts {
  /** 16 bytes, the same in every attempt to deliver this profile. */
  profileId: Uint8Array;
  /** Attributes of the resource: `service.name` and the like. */
  resource: Record<string, string | number>;
  scope: { name: string; version: string };
}

/** The request's bytes, not compressed. */
export function encodeOtlpProfiles(profile: Profile, facts: OtlpFacts): Uint8Array {
  return new OtlpEncoder().request(profile, facts);
}

class OtlpEncoder {
  readonly #out = Writer.create();
  readonly #strings = new Map<string, number>([['', 0]]);
  /** Tables by the text that stands for an entry; index 0 is the zero value, which no text stands for. */
  readonly #stacks = new Map<string, number>();
  readonly #links = new Map<string, number>();
  readonly #attributes = new Map<string, number>();

  request(profile: Profile, { profileId, resource, scope }: OtlpFacts): Uint8Array {
    this.#message(REQUEST.resourceProfiles, () => {
      this.#message(RESOURCE_PROFILES.resource, () => {
        for (const [key, value] of Object.entries(resource)) this.#resourceAttribute(key, value);
      });
      this.#message(RESOURCE_PROFILES.scopeProfiles, () => {
        this.#message(SCOPE_PROFILES.scope, () => {
          this.#text(SCOPE.name, scope.name);
          this.#text(SCOPE.version, scope.version);
        });
        this.#message(SCOPE_PROFILES.profiles, () => this.#profile(profile, profileId));
      });
    });
    this.#message(REQUEST.dictionary, () => this.#dictionary(profile));
    return this.#out.finish();
  }

  #profile(profile: Profile, id: Uint8Array): void {
    const shown = shownSampleType(profile);
    this.#valueType(PROFILE.sampleType, profile.sampleTypes[shown] ?? { type: '', unit: '' });
    for (const sample of profile.samples) this.#sample(sample, shown);
    this.#fixed64(PROFILE.time, profile.timeNanos);
    this.#int(PROFILE.duration, profile.durationNanos);
    this.#valueType(PROFILE.periodType, profile.periodType);
    this.#int(PROFILE.period, profile.period);
    this.#bytes(PROFILE.id, id);
    const { totals } = totalsFromComments(profile.comments);
    this.#indexes(
      PROFILE.attributes,
      Object.entries(totals).map(([name, count]) => this.#attribute({ key: `strobe.${name}`, num: count })),
    );
  }

  #sample({ locations, labels, values }: Sample, shown: number): void {
    const text = (key: string) => labels.find((label) => label.key === key)?.str ?? '';
    const [trace, span] = [text('trace_id'), text('span_id')];
    const linked = TRACE_ID.test(trace) && SPAN_ID.test(span);
    const attributes: number[] = [];
    for (const label of labels) {
      if (linked && (label.key === 'trace_id' || label.key === 'span_id')) continue;
      attributes.push(this.#attribute(label));
    }
    this.#message(PROFILE.samples, () => {
      this.#int(SAMPLE.stack, locations.length === 0 ? 0 : intern(this.#stacks, locations.join()));
      this.#indexes(SAMPLE.attributes, attributes);
      if (linked) this.#int(SAMPLE.link, intern(this.#links, trace + span));
      this.#out.uint32(tag(SAMPLE.values, BYTES)).fork();
      writeInt(this.#out, values[shown] ?? 0);
      this.#out.ldelim();
    });
  }

  #dictionary(profile: Profile): void {
    const empty = () => undefined;
    this.#message(DICTIONARY.mapping, empty);
    for (const { start, limit, offset, filename } of profile.mappings) {
      this.#message(DICTIONARY.mapping, () => {
        this.#int(MAPPING.start, start);
        this.#int(MAPPING.limit, limit);
        this.#int(MAPPING.offset, offset);
        this.#int(MAPPING.filename, this.#string(filename));
      });
    }
    this.#message(DICTIONARY.location, empty);
    for (const { mapping, address, lines } of profile.locations) {
      this.#message(DICTIONARY.location, () => {
        this.#int(LOCATION.mapping, mapping + 1);
        this.#int(LOCATION.address, address);
        for (const line of lines) {
          this.#message(LOCATION.lines, () => {
            this.#int(LINE.function, line.function + 1);
            this.#int(LINE.line, line.line);
            this.#int(LINE.column, line.column);
          });
        }
      });
    }
    this.#message(DICTIONARY.function, empty);
    for (const { name, systemName, filename, startLine } of profile.functions) {
      this.#message(DICTIONARY.function, () => {
        this.#int(FUNCTION.name, this.#string(name));
        this.#int(FUNCTION.systemName, this.#string(systemName));
        this.#int(FUNCTION.filename, this.#string(filename));
        this.#int(FUNCTION.startLine, startLine);
      });
    }
    for (const ids of ['0'.repeat(48), ...this.#links.keys()]) {
      this.#message(DICTIONARY.link, () => {
        this.#bytes(LINK.traceId, Buffer.from(ids.slice(0, 32), 'hex'));
        this.#bytes(LINK.spanId, Buffer.from(ids.slice(32), 'hex'));
      });
    }
    this.#message(DICTIONARY.attribute, empty);
    for (const attribute of this.#attributes.keys()) this.#message(DICTIONARY.attribute, () => this.#attributeBody(attribute));
    this.#message(DICTIONARY.stack, empty);
    for (const stack of this.#stacks.keys()) {
      this.#message(DICTIONARY.stack, () => {
        this.#out.uint32(tag(1, BYTES)).fork();
        for (const location of stack.split(',')) this.#out.uint32(Number(location) + 1);
        this.#out.ldelim();
      });
    }
    // Last: what stands before may add strings. Their order is that of their indexes.
    for (const text of this.#strings.keys()) this.#bytes(DICTIONARY.string, Buffer.from(text));
  }

  /** The index of an attribute; its text is `s` or `n`, and JSON. */
  #attribute({ key, str, num, unit }: Label): number {
    const name = SEMANTIC_NAMES[key] ?? key;
    return intern(this.#attributes, JSON.stringify(str === undefined ? [name, null, String(num ?? 0), unit ?? ''] : [name, str]));
  }

  #attributeBody(text: string): void {
    const [key, str, num, unit] = JSON.parse(text) as [string, string | null, string?, string?];
    this.#int(KEY_VALUE.key, this.#string(key));
    this.#message(KEY_VALUE.value, () => {
      if (str === null) {
        this.#out.uint32(tag(ANY_VALUE.int, VARINT));
        // Exact past 2^53; what is no whole number is rounded.
        writeInt(this.#out, /^-?\d+$/.test(num ?? '') ? BigInt(num as string) : Number(num));
      } else {
        this.#bytes(ANY_VALUE.string, Buffer.from(str));
      }
    });
    if (unit) this.#int(KEY_VALUE.unit, this.#string(unit));
  }

  #resourceAttribute(key: string, value: string | number): void {
    this.#message(1, () => {
      this.#text(KEY_VALUE.key, key);
      this.#message(KEY_VALUE.value, () => {
        if (typeof value === 'number') writeInt(this.#out.uint32(tag(ANY_VALUE.int, VARINT)), value);
        else this.#bytes(ANY_VALUE.string, Buffer.from(value));
      });
    });
  }

  #valueType(field: number, { type, unit }: ValueType): void {
    this.#message(field, () => {
      this.#int(1, this.#string(type));
      this.#int(2, this.#string(unit));
    });
  }

  #message(field: number, body: () => void): void {
    this.#out.uint32(tag(field, BYTES)).fork();
    body();
    this.#out.ldelim();
  }

  /** Through a Buffer: a lone surrogate is no UTF-8, and one would make a receiver refuse the whole request. */
  #text(field: number, text: string): void {
    if (text !== '') this.#bytes(field, Buffer.from(text));
  }

  #bytes(field: number, bytes: Uint8Array): void {
    this.#out.uint32(tag(field, BYTES)).bytes(bytes);
  }

  #indexes(field: number, indexes: number[]): void {
    if (indexes.length > 0) this.#out.uint32(tag(field, BYTES)).uint32s(indexes);
  }

  #fixed64(field: number, value: bigint): void {
    const low = Number(BigInt.asUintN(32, value));
    const high = Number(BigInt.asUintN(32, value >> 32n));
    this.#out.uint32(tag(field, FIXED64)).fixed32(low).fixed32(high);
  }

  /** A varint field; left out when 0, as proto3 has it. */
  #int(field: number, value: number | bigint): void {
    if (value === 0 || value === 0n) return;
    writeInt(this.#out.uint32(tag(field, VARINT)), value);
  }

  #string(text: string): number {
    let index = this.#strings.get(text);
    if (index === undefined) {
      index = this.#strings.size;
      this.#strings.set(text, index);
    }
    return index;
  }
}

/** Indexes of a table whose [0] is the zero value. */
function intern(table: Map<string, number>, text: string): number {
  let index = table.get(text);
  if (index === undefined) {
    index = table.size + 1;
    table.set(text, index);
  }
  return index;
}

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** One varint of 64 bits; a double is rounded and kept inside int64. */
function writeInt(out: Writer, value: number | bigint): void {
  const whole = typeof value === 'bigint' ? value : Math.round(value);
  if (whole >= 0 && whole <= 0xffffffff) out.uint32(Number(whole));
  else if (typeof whole === 'number') out.int64(Number.isNaN(whole) ? 0 : Math.max(-(2 ** 63), Math.min(whole, 2 ** 63 - 1024)));
  else out.int64(BigInt.asIntN(64, whole).toString());
}
