// The one error class of the public surface. Every bad input and every refusal carries a stable `code`, so that a caller can branch on it, and a
// message that names the option (or file), what was given, and the way out.

export type StrobeErrorCode =
  | 'ERR_ALREADY_RUNNING'
  | 'ERR_NOT_RUNNING'
  | 'ERR_INVALID_OPTION'
  | 'ERR_UNSUPPORTED_PLATFORM'
  | 'ERR_UNSUPPORTED_RUNTIME'
  | 'ERR_BINARY_NOT_FOUND'
  | 'ERR_BINARY_MISMATCH'
  | 'ERR_PROFILE_INVALID'
  | 'ERR_IO';

export class StrobeError extends Error {
  readonly code: StrobeErrorCode;

  constructor(code: StrobeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StrobeError';
    this.code = code;
  }
}
