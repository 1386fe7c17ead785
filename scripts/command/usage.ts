/** Wrong usage: options, environment or keys that cannot work. Ends with exit code 2, before any call. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
