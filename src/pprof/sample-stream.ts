// Samples of a profile that was just built, without an object and an array for each: a window has tens of thousands, a million locations among them, and the encoder
// wants to see each once. Whoever reads `profile.samples` gets them as ever, made at that moment; from then on they are the profile's.

import type { Label, Profile, Sample } from './schema';

/** `locations` from `start` on: indexes, leaf first; valid during the call. From `same` on they are what they were in the call before, at the same places. */
export type VisitSample = (locations: number[], start: number, same: number, values: number[], labels: Label[]) => void;
type Stream = (visit: VisitSample) => void;

/** By the profile itself: a copy of it has samples of its own. */
const streams = new WeakMap<Profile, Stream>();

/** `stream` gives the samples of `profile`, the same ones each time. */
export function streamSamples(profile: Profile, stream: Stream): void {
  streams.set(profile, stream);
  Object.defineProperty(profile, 'samples', {
    enumerable: true,
    configurable: true,
    get: () => {
      const samples: Sample[] = [];
      stream((locations, start, _same, values, labels) => samples.push({ locations: locations.slice(start), values, labels }));
      streams.delete(profile);
      Object.defineProperty(profile, 'samples', { value: samples, writable: true, enumerable: true, configurable: true });
      return samples;
    },
  });
}

export function eachSample(profile: Profile, visit: VisitSample): void {
  const stream = streams.get(profile);
  if (stream) stream(visit);
  else for (const { locations, values, labels } of profile.samples) visit(locations, 0, locations.length, values, labels);
}
