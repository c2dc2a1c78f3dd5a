// The large tables of a profile that was just built, without an object a row: a window has tens of thousands of samples, and a million locations in them, which the
// encoder gets as bytes in one piece. Whoever reads `profile.samples` or `profile.locations` gets objects as ever, made at that moment; from then on they are the profile's.

import type { Label, Location, Profile, Sample } from './schema';

/** Writes a table's fields of profile.proto to `out` and says how many bytes they are; when these are more than it has, it has to be called again with so much room. */
export type WriteBytes = (out: Uint8Array) => number;

export interface BuiltTables {
  samples?: {
    objects: () => Sample[];
    /** About how long they are; too much costs nothing. */
    expectedBytes: number;
    /** `labelBytes` gives the `label` fields of a set of labels. */
    bytes(labelBytes: (labels: Label[]) => Uint8Array): WriteBytes;
  };
  locations?: { objects: () => Location[]; expectedBytes: number; bytes: WriteBytes };
}

/** By the profile itself: a copy of it has objects of its own. */
const tables = new WeakMap<Profile, BuiltTables>();

/** `built` gives the same rows each time. */
export function keepBuilt(profile: Profile, { samples, locations }: Required<BuiltTables>): void {
  tables.set(profile, { samples, locations });
  // Each by itself: what was read is not kept alive by what was not.
  makeWhenRead(profile, 'samples', samples.objects);
  makeWhenRead(profile, 'locations', locations.objects);
}

function makeWhenRead<K extends 'samples' | 'locations'>(profile: Profile, name: K, make: () => Profile[K]): void {
  const become = (value: Profile[K]) => {
    delete tables.get(profile)?.[name];
    Object.defineProperty(profile, name, { value, writable: true, enumerable: true, configurable: true });
    return value;
  };
  Object.defineProperty(profile, name, { enumerable: true, configurable: true, get: () => become(make()), set: become });
}

/** What of the profile is not made of objects yet. */
export function builtTables(profile: Profile): BuiltTables {
  return tables.get(profile) ?? {};
}
