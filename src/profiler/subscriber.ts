// A subscriber owns one profile in the making. The encoder adds every slice to every subscriber; taking one's profile disturbs no other.

import type { Slice } from '../native';
import { ProfileBuilder } from '../pprof/builder';
import type { Profile } from '../pprof/schema';
import type { ProfileMode } from './options';

export class Subscriber {
  #builder: ProfileBuilder;
  #comments: string[];

  constructor(
    readonly mode: ProfileMode,
    comments: string[],
  ) {
    this.#builder = new ProfileBuilder({ mode });
    this.#comments = comments;
  }

  add(slice: Slice): void {
    this.#builder.add(slice);
  }

  get empty(): boolean {
    return this.#builder.empty;
  }

  take(): Profile {
    const profile = this.#builder.take();
    profile.comments.push(...this.#comments);
    return profile;
  }
}
