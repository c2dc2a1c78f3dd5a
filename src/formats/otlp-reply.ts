// What an OTLP receiver answers: ExportProfilesServiceResponse { partial_success = 1 { rejected_profiles = 1, error_message = 2 } } when it took the request, and a
// google.rpc.Status { message = 2 } when it did not. Read as what it is: bytes from somebody else.

import { Wire } from '../pprof/wire';

export interface PartialSuccess {
  /** Profiles that were not taken, 0 for none. */
  rejected: number;
  /** Why, or a warning when none was rejected; '' for nothing. */
  message: string;
}

/** An answer that can't be read counts as "nothing rejected": the status said that the request was taken. */
export function readPartialSuccess(body: Uint8Array): PartialSuccess {
  const result: PartialSuccess = { rejected: 0, message: '' };
  const wire = new Wire(body);
  try {
    while (wire.next()) {
      if (wire.field !== 1) {
        wire.skip();
        continue;
      }
      const outer = wire.enter();
      while (wire.next()) {
        if (wire.field === 1) result.rejected = Number(wire.int());
        else if (wire.field === 2) result.message = wire.string();
        else wire.skip();
      }
      wire.leave(outer);
    }
  } catch (error) {
    if (wire.describe(error) === undefined) throw error;
    return { rejected: 0, message: '' };
  }
  return result;
}

/** The message of a google.rpc.Status; '' when there is none that can be read. */
export function readStatusMessage(body: Uint8Array): string {
  const wire = new Wire(body);
  let message = '';
  try {
    while (wire.next()) {
      if (wire.field === 2) message = wire.string();
      else wire.skip();
    }
  } catch (error) {
    if (wire.describe(error) === undefined) throw error;
  }
  return message;
}
